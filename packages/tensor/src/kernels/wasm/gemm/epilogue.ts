/** What follows a product while its rows are still in the cache: a bias for each column, and an activation. */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32 } from '../assembler/instructions.js';
import type { Epilogue, SharedFunctions } from '../kernel.js';
import { emitSigmoid, emitTanh, type EmitF32x4 } from '../math.js';
import { f32x4, v128 } from '../assembler/simd.js';

/** The activations by number; 0 is none. */
export const ACTIVATION: Readonly<Record<NonNullable<Epilogue['activation']>, number>> = {
  relu: 1,
  tanh: 2,
  sigmoid: 3,
};

/** What an activation makes of four numbers: by code in place, for loops, or by a call, for what is left after them. */
export interface ActivationCode {
  readonly inPlace: (f: FunctionBuilder, x: Expr<'v128'>) => Expr<'v128'>;
  readonly called: (x: Expr<'v128'>) => Expr<'v128'>;
}

/** The activations by their number. */
export function activations(m: ModuleBuilder, shared: SharedFunctions): readonly ActivationCode[] {
  const short = (apply: (x: Expr<'v128'>) => Expr<'v128'>): ActivationCode => ({
    inPlace: (_, x) => apply(x),
    called: apply,
  });
  const long = (emit: EmitF32x4, name: string): ActivationCode => ({
    inPlace: (f, x) => emit(f, m, x),
    called: (x) => call(functionOf(name, emit, m, shared), x),
  });
  return [
    short((x) => x),
    // x < 0 ? 0 : x; NaN stays
    short((x) => f32x4.pmax(x, v128.zero())),
    long(emitTanh, 'tanhF32x4'),
    long(emitSigmoid, 'sigmoidF32x4'),
  ];
}

/** A function of the module with this code. */
function functionOf(
  name: string,
  emit: EmitF32x4,
  m: ModuleBuilder,
  shared: SharedFunctions,
): FunctionRef<readonly ['v128'], 'v128'> {
  return shared.once(name, () =>
    m.function(name, ['v128'], 'v128', (f, x) => f.return(emit(f, m, x))),
  );
}

/** (c, cRow, rows, columns, bias, activation): bias is the address of a row, or 0. */
export function finishRows(
  m: ModuleBuilder,
  shared: SharedFunctions,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  return shared.once('finishRowsF32', () => {
    const [rowFunctions, columnFunctions] = (['row', 'column'] as const).map((kind) =>
      activations(m, shared).map((activation, i) =>
        defineFinish(
          m,
          kind === 'row' ? `finishRow${i}F32` : `finishColumn${i}F32`,
          activation,
          kind,
        ),
      ),
    );
    return m.function(
      'finishRowsF32',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, c, cRow, rows, columns, bias, activation) => {
        const finish = (functions: readonly FinishFunction[], count: Local<'i32'>): void =>
          functions.forEach((finishLine, i) => {
            f.if(i32.eq(activation, i32.const(i)), () => f.do(call(finishLine, c, count, bias)));
          });
        // A matrix of one column lies like a row.
        f.if(i32.eq(cRow, i32.const(4)), () => {
          finish(columnFunctions, rows);
          f.return();
        });
        f.while(rows, () => {
          finish(rowFunctions, columns);
          f.increment(c, cRow);
          f.increment(rows, -1);
        });
      },
    );
  });
}

/** (c, count, bias) */
type FinishFunction = FunctionRef<readonly ['i32', 'i32', 'i32'], 'void'>;

/** c_j ← activation(c_j + bias_j) for a row; for a column, whose bias is one number, c_i ← activation(c_i + bias_0). */
function defineFinish(
  m: ModuleBuilder,
  name: string,
  activation: ActivationCode,
  kind: 'row' | 'column',
): FinishFunction {
  return m.function(name, ['i32', 'i32', 'i32'], 'void', (f, c, count, bias) => {
    const x = f.local('v128');
    const round = (
      load: (address: Expr<'i32'>) => Expr<'v128'>,
      store: (address: Expr<'i32'>, value: Expr<'v128'>) => Expr<'void'>,
      lanes: number,
    ): void => {
      const inPlace = kind === 'row' && lanes === 4;
      f.set(x, load(c));
      f.if(bias, () => {
        f.set(x, f32x4.add(x, kind === 'row' ? load(bias) : v128.load32_splat(bias)));
        if (kind === 'row') f.increment(bias, 4 * lanes);
      });
      f.do(store(c, inPlace ? activation.inPlace(f, x) : activation.called(x)));
      f.increment(c, 4 * lanes);
      f.increment(count, -lanes);
    };
    f.while(i32.ge_s(count, i32.const(4)), () => round(v128.load, v128.store, 4));
    f.while(i32.gt_s(count, i32.const(0)), () =>
      round(v128.load32_zero, (at, value) => v128.store32_lane(at, value, 0), 1),
    );
  });
}
