/** The assembler: every instruction is valid where it stands, numbers are encoded as the format says, and faults are told. */
import { Numbers } from '../support/numbers.js';
import { messageOf } from '../support/errors.js';
import {
  ModuleBuilder,
  call,
  type FunctionBuilder,
} from '../../packages/tensor/src/kernels/wasm/assembler/assembler.js';
import {
  AssemblerError,
  signed,
  unsigned,
  type Expr,
  type ResultType,
  type ValType,
} from '../../packages/tensor/src/kernels/wasm/assembler/code.js';
import * as scalars from '../../packages/tensor/src/kernels/wasm/assembler/instructions.js';
import {
  drop,
  f32,
  f64,
  i32,
  i64,
  memory,
  select,
} from '../../packages/tensor/src/kernels/wasm/assembler/instructions.js';
import * as vectors from '../../packages/tensor/src/kernels/wasm/assembler/simd.js';
import {
  f32x4,
  f64x2,
  i32x4,
  i8x16,
  shuffle32,
  v128,
} from '../../packages/tensor/src/kernels/wasm/assembler/simd.js';
import { detectFeatures } from '../../packages/tensor/src/kernels/wasm/machine.js';

const PAGE = { initial: 1, maximum: 1, shared: false };
const VALUES = {
  i32: i32.const(7),
  i64: i64.const(7n),
  f32: f32.const(7),
  f64: f64.const(7),
  v128: v128.zero(),
} as const;

/** A module with one function 'f'. */
function moduleOf(
  result: ResultType,
  body: (f: FunctionBuilder) => void,
  shared = false,
): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder({ ...PAGE, shared }, true);
  m.export(m.function('f', [], result, body));
  return m.toBytes();
}

function instanceOf(
  bytes: Uint8Array<ArrayBuffer>,
  shared = false,
  imports: Readonly<Record<string, (x: number) => number>> = {},
): () => number | bigint {
  const wasmMemory = new WebAssembly.Memory({ ...PAGE, shared });
  const table = new WebAssembly.Table({ initial: 8, element: 'anyfunc' });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: { memory: wasmMemory, table, ...imports },
  });
  return instance.exports.f as () => number | bigint;
}

/** What an expression gives when it is run. */
function valueOf(value: Expr<'i32' | 'i64' | 'f32' | 'f64'>, shared = false): number | bigint {
  return instanceOf(
    moduleOf(value.type, (f) => f.return(value), shared),
    shared,
  )();
}

describe('instructions', () => {
  /** All instructions below an object, by their path. */
  function instructionsOf(
    table: object,
    path: string,
  ): [string, (...operands: unknown[]) => Expr][] {
    return Object.entries(table).flatMap(([name, entry]: [string, unknown]) => {
      if (typeof entry === 'function')
        return [[`${path}${name}`, entry as (...operands: unknown[]) => Expr]];
      return typeof entry === 'object' && entry !== null
        ? instructionsOf(entry, `${path}${name}.`)
        : [];
    });
  }
  const all = [...instructionsOf(scalars, ''), ...instructionsOf(vectors, '')];
  const types = ['i32', 'i64', 'f32', 'f64', 'v128'] as const;

  /** The operands that an instruction takes, found by trying: the stack of types tells which ones fit. */
  function emitted(make: (...operands: unknown[]) => Expr): Expr | null {
    const lists: unknown[][] = [[]];
    const immediates: unknown[] = [
      1,
      3n,
      [0, 1, 2, 3],
      Array.from({ length: 16 }, (_, i) => 2 * i),
    ];
    for (let length = 0; length < 4; length++) {
      for (const list of lists.filter((l) => l.length === length)) {
        for (const type of types) lists.push([...list, VALUES[type]]);
        for (const immediate of immediates) lists.push([...list, immediate]);
      }
      for (const list of lists.filter((l) => l.length === length)) {
        try {
          const expression = make(...list);
          if (expression.type === undefined) continue;
          const bytes = moduleOf('void', (f) => f.do(asStatement(expression)), true);
          if (WebAssembly.validate(bytes)) return expression;
        } catch (error) {
          if (!(
            error instanceof AssemblerError ||
            error instanceof TypeError ||
            error instanceof SyntaxError
          ))
            throw error;
        }
      }
    }
    return null;
  }
  const asStatement = (e: Expr): Expr<'void'> =>
    e.type === 'void' ? (e as Expr<'void'>) : drop(e as Expr<ValType>);
  const relaxed = detectFeatures()?.relaxed ?? false;

  test.each(all.filter(([name]) => relaxed || !name.includes('relaxed')))(
    '%s is valid',
    (_, make) => {
      expect(emitted(make)).not.toBeNull();
    },
  );

  test('compute what their names say', () => {
    const lanes = i32x4.add(f32x4.convert_i32x4_s(i32x4.const(0)), i32x4.const(-5));
    const cases: [Expr<'i32' | 'i64' | 'f32' | 'f64'>, number | bigint][] = [
      [i32.div_s(i32.const(-7), i32.const(2)), -3],
      [i32.div_u(i32.const(-2), i32.const(2)), 0x7fffffff],
      [i32.rem_s(i32.const(-7), i32.const(2)), -1],
      [i32.shr_s(i32.const(-8), i32.const(1)), -4],
      [i32.shr_u(i32.const(-8), i32.const(1)), 0x7ffffffc],
      [i32.lt_u(i32.const(-1), i32.const(1)), 0],
      [i32.lt_s(i32.const(-1), i32.const(1)), 1],
      [i32.trunc_sat_f32_s(f32.const(-3.9)), -3],
      [i32.trunc_sat_f64_s(f64.const(NaN)), 0],
      [i64.shl(i64.const(3n), i64.const(40n)), 3n << 40n],
      [i64.extend_i32_s(i32.const(-1)), -1n],
      [i64.reinterpret_f64(f64.const(1)), 0x3ff0000000000000n],
      [f32.const(0.1), Math.fround(0.1)],
      [f64.const(0.1), 0.1],
      [f32.nearest(f32.const(2.5)), 2],
      [f64.promote_f32(f32.demote_f64(f64.const(0.1))), Math.fround(0.1)],
      [select(f32.const(1), f32.const(2), i32.const(0)), 2],
      [memory.size(), 1],
      [memory.grow(i32.const(0)), 1],
      [i32x4.extract_lane(lanes, 3), -5],
      [f32x4.extract_lane(f32x4.replace_lane(f32x4.const(2), 2, f32.const(9)), 2), 9],
      [f64x2.extract_lane(f64x2.const(-0.1), 1), -0.1],
      [i32x4.bitmask(i32x4.lt_s(i32x4.const(-1), i32x4.const(1))), 15],
      [f32x4.extract_lane(shuffle32(f32x4.const(1), f32x4.const(2), [0, 4, 1, 5]), 1), 2],
      [i8x16.bitmask(i8x16.eq(i32x4.const(0x00ff00ff), i32x4.const(0x00ff0000))), 0b1110111011101110],
      [select(f32x4.extract_lane(f32x4.pmin(f32x4.const(1), f32x4.const(NaN)), 0), f32.const(0), i32.const(1)), 1],
    ]; // prettier-ignore
    for (const [expression, expected] of cases) expect(valueOf(expression)).toBe(expected);
  });
});

describe('numbers', () => {
  test('are encoded in LEB128 as in the specification', () => {
    expect(unsigned(0)).toEqual([0]);
    expect(unsigned(127)).toEqual([0x7f]);
    expect(unsigned(128)).toEqual([0x80, 1]);
    expect(unsigned(624485)).toEqual([0xe5, 0x8e, 0x26]);
    expect(unsigned(2 ** 32 - 1)).toEqual([0xff, 0xff, 0xff, 0xff, 0x0f]);
    expect(signed(0n)).toEqual([0]);
    expect(signed(63n)).toEqual([63]);
    expect(signed(64n)).toEqual([0xc0, 0]);
    expect(signed(-1n)).toEqual([0x7f]);
    expect(signed(-64n)).toEqual([0x40]);
    expect(signed(-65n)).toEqual([0xbf, 0x7f]);
    expect(signed(-123456n)).toEqual([0xc0, 0xbb, 0x78]);
  });

  test('come back as they were, from one end of the range to the other', () => {
    const numbers = new Numbers(6);
    const edges = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 2 ** 31 - 1, -(2 ** 31)];
    const drawn = Array.from({ length: 40 }, () => numbers.integer(-(2 ** 31), 2 ** 31 - 1) >> numbers.integer(0, 31)); // prettier-ignore
    for (const n of [...edges, ...drawn]) expect(valueOf(i32.const(n))).toBe(n);
    expect(valueOf(i32.const(2 ** 32 - 1))).toBe(-1);
    for (const n of [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 1n << 35n])
      expect(valueOf(i64.const(n))).toBe(n);
    for (const x of [0, -0, NaN, Infinity, -Infinity, Math.fround(1e-45), 3.4028234663852886e38]) expect(valueOf(f32.const(x))).toBe(x); // prettier-ignore
    for (const x of [5e-324, Number.MAX_VALUE, Math.PI]) expect(valueOf(f64.const(x))).toBe(x);
  });

  test('an offset may be large', () => {
    expect(valueOf(i32.load(i32.const(0), 65532))).toBe(0);
    expect(() => valueOf(i32.load(i32.const(0), 65533))).toThrow(WebAssembly.RuntimeError);
    expect(messageOf(AssemblerError, () => i32.load(i32.const(0), -4))).toBe('a memory offset is a whole number from 0 on; got -4.'); // prettier-ignore
  });
});

describe('statements', () => {
  test('loops, branches and calls do what they say', () => {
    const m = new ModuleBuilder(PAGE, false);
    const square = m.function('square', ['i32'], 'i32', (f, x) => f.return(i32.mul(x, x)));
    m.export(
      m.function('f', [], 'i32', (f) => {
        const [i, sum] = [f.local('i32'), f.local('i32', i32.const(100))];
        f.for(i, i32.const(0), i32.const(5), 2, () => f.set(sum, i32.add(sum, call(square, i))));
        f.for(i, i32.const(3), i32.const(3), 1, () => f.return(i32.const(-1)));
        f.block((end) => {
          f.br_if(end, i32.gt_s(sum, i32.const(0)));
          f.return(i32.const(-2));
        });
        f.loop((again) => {
          f.increment(sum, 1);
          f.if(
            i32.lt_s(sum, i32.const(125)),
            () => f.br(again),
            () => f.increment(sum, 1000),
          );
        });
        f.return(sum);
      }),
    );
    expect(instanceOf(m.toBytes())()).toBe(1125);
  });

  test('functions are found in the table by their numbers', () => {
    const m = new ModuleBuilder(PAGE, false);
    const numbers = [10, 20].map((n) =>
      m.addToTable(
        m.function(`add${n}`, ['i32'], 'i32', (f, x) => f.return(i32.add(x, i32.const(n)))),
      ),
    );
    m.export(
      m.function('f', [], 'i32', (f) => {
        const signature = { params: ['i32'], result: 'i32' } as const;
        f.return(m.callIndirect(signature, i32.const(numbers[1]), i32.const(5)));
      }),
    );
    expect(instanceOf(m.toBytes())()).toBe(25);
  });

  test('functions of JavaScript are called, and have their numbers before all others', () => {
    const m = new ModuleBuilder(PAGE, false);
    const [twice, half] = ['twice', 'half'].map((name) => m.import(name, ['i32'], 'i32'));
    const three = m.function('three', [], 'i32', (f) => f.return(i32.const(3)));
    m.export(
      m.function('f', [], 'i32', (f) =>
        f.return(i32.sub(call(twice, call(three)), call(half, i32.const(8)))),
      ),
    );
    const imports = { twice: (x: number) => 2 * x, half: (x: number) => x / 2 };
    expect(instanceOf(m.toBytes(), false, imports)()).toBe(2);
    expect(messageOf(AssemblerError, () => m.import('late', [], 'void'))).toBe(
      'late: is imported after a function; import it before.',
    );
  });

  test('a constant is put together once for all loops of a function', () => {
    const bytes = moduleOf('f32', (f) => {
      const [i, sum] = [f.local('i32'), f.local('v128', f32x4.const(0.5))];
      const add = (x: number): void => f.set(sum, f32x4.add(sum, f32x4.const(x)));
      f.for(i, i32.const(0), i32.const(3), 1, () => {
        add(2.5);
        f.if(i32.eq(i, i32.const(1)), () => add(2.5));
        f.set(sum, f32x4.mul(sum, f32x4.const(2)));
      });
      f.for(i, i32.const(0), i32.const(2), 1, () => add(2.5));
      add(0.25);
      f.return(f32x4.extract_lane(sum, 3));
    });
    expect(instanceOf(bytes)()).toBe(((0.5 + 2.5) * 2 + 5) * 4 + 5 + 5 + 0.25);
    const constants = bytes.filter((byte, i) => byte === 0xfd && bytes[i + 1] === 0x0c);
    expect(constants).toHaveLength(4);
  });

  test('hundreds of locals and many bytes are no matter', () => {
    const bytes = moduleOf('i32', (f) => {
      const locals = Array.from({ length: 300 }, (_, i) => f.local('i32', i32.const(i)));
      const sum = f.local('i32');
      for (const x of locals) f.set(sum, i32.add(sum, x));
      f.return(sum);
    });
    expect(instanceOf(bytes)()).toBe(44850);
  });
});

describe('faults are told with the instruction and the function', () => {
  /** A value that says of itself that it is of another type, as a slip in an emitter would. */
  const posing = (value: Expr, type: ValType): Expr<never> => ({ type, emit: (code) => value.emit(code) }) as Expr<never>; // prettier-ignore
  const faultOf = (body: (f: FunctionBuilder) => void): string => messageOf(AssemblerError, () => moduleOf('void', body)); // prettier-ignore

  test.each<[string, (f: FunctionBuilder) => void, string]>([
    ['an operand of another type', (f) => f.do(drop(i32.add(posing(f32.const(1), 'i32'), i32.const(1)))), 'f: i32.add takes i32; there is f32 on the stack.'],
    ['an operand that is missing', (f) => f.do(f32.store(i32.const(0), posing(i32.store(i32.const(0), i32.const(0)), 'f32'))), 'f: f32.store takes f32; there is i32 on the stack.'],
    ['nothing on the stack', (f) => f.do(drop(posing(memory.fill(i32.const(0), i32.const(0), i32.const(0)), 'i32'))), 'f: drop takes i32; there is nothing on the stack.'],
    ['a value that stays', (f) => f.do(posing(i32.const(1), 'i32')), 'f: ends with i32 on the stack; results are given by return().'],
    ['a value that stays in a block', (f) => f.block(() => f.do(posing(v128.zero(), 'v128'))), 'f: block ends with v128 left on the stack; store or drop it.'],
    ['a value from outside of a block', (f) => { f.do(posing(i32.const(1), 'i32')); f.loop(() => f.do(drop(posing(memory.fill(i32.const(0), i32.const(0), i32.const(0)), 'i32')))); }, 'f: drop takes i32; there is nothing on the stack.'],
    ['a variable of another function', (f) => { let other: Expr<'i32'> = i32.const(0); new ModuleBuilder(PAGE, false).function('g', ['i32'], 'void', (_, x) => (other = x)); f.do(drop(other)); }, 'f: uses a variable that belongs to g.'],
    ['a variable of another type', (f) => f.set(f.local('f32'), posing(i32.const(1), 'f32')), 'f: local.set takes f32; there is i32 on the stack.'],
  ])('%s', (_, body, text) => expect(faultOf(body)).toBe(text)); // prettier-ignore

  test('a result of another type', () => {
    const m = new ModuleBuilder(PAGE, false);
    const make = (): unknown => m.function('f', [], 'i32', (f) => f.return(f32.const(1)));
    expect(messageOf(AssemblerError, make)).toBe('f: return takes i32; there is f32 on the stack.');
  });
});
