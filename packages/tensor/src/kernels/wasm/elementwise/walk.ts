/**
 * How element-wise kernels go over their operands.
 *
 * The output is contiguous, so an op is a loop over pieces of it of some hundred elements. An operand that lies just as the
 * output does is read where it is; any other one (broadcast, transposed, a slice) is first packed, piece by piece, into a buffer
 * that stays in the first-level cache. So the loop that computes exists only once for each op and dtype, with all its operands
 * side by side, and everything about layouts is in `pack`. A row or a number that is the same for all pieces is packed once.
 *
 * The last elements, which do not fill a vector, are computed in a buffer too.
 */
import { broadcastStrides, coalesce } from '../../../shape.js';
import { call, type FunctionRef, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32 } from '../assembler/instructions.js';
import { partRange, FIELD_BYTES, command, type Command, type SharedFunctions } from '../kernel.js';
import type { Fields, Kernel, LoweringContext, Operand } from '../kernel.js';
import { ITEM_BITS, MAX_AXES, OPERAND, OPERAND_BYTES, packFunction } from './pack.js';

/** The arguments in bytes: those of the op, then for each operand its description. */
const AT = {
  out: 0,
  outBits: FIELD_BYTES,
  size: 2 * FIELD_BYTES,
  piece: 3 * FIELD_BYTES,
  tails: 4 * FIELD_BYTES,
  partBytes: 5 * FIELD_BYTES,
  p: 6 * FIELD_BYTES,
  q: 7 * FIELD_BYTES,
  operands: 8 * FIELD_BYTES,
} as const;

/** Where the numbers p and q (float64), the op's attributes, are in the arguments. */
export const P_OFFSET: number = AT.p;
export const Q_OFFSET: number = AT.q;

const operandNames = (k: number): string[] => [
  ...['address', 'buffer', 'once', 'bits'].map((name) => `${name}${k}`),
  ...Array.from({ length: MAX_AXES }, (_, axis) => [`size${k}_${axis}`, `step${k}_${axis}`]).flat(),
];

/** The names of the arguments for so many operands. */
function fieldsFor(arity: number): Fields {
  const i32s = ['out', 'outBits', 'size', 'piece', 'tails', 'partBytes'];
  const operands = Array.from({ length: arity }, (_, k) => operandNames(k)).flat();
  return Object.fromEntries([
    ...i32s.map((name) => [name, 'i32'] as const),
    ...['p', 'q'].map((name) => [name, 'f64'] as const),
    ...operands.map((name) => [name, 'i32'] as const),
  ]);
}

const FIELDS = [0, 1, 2, 3].map(fieldsFor);

/** Each operand and the output have so many bytes for elements that do not fill a block. */
const TAIL_BYTES = 128;

/** (n, out, operands…, args): computes n elements, a multiple of the kernel's block. All lie without gaps. */
export type BlockFunction = FunctionRef<readonly 'i32'[], 'void'>;

/** A kernel whose inner loop is `define`d; `block` is how many elements a round of that loop computes. */
export interface ElementKernel extends Kernel {
  readonly arity: number;
  readonly block: number;
}

/** @param define adds the inner loop to a module */
export function elementKernel(
  name: string,
  arity: number,
  block: number,
  define: (m: ModuleBuilder, shared: SharedFunctions) => BlockFunction,
): ElementKernel {
  return {
    name,
    arity,
    block,
    fields: FIELDS[arity],
    define: (m, shared) => {
      const number = m.addToTable(define(m, shared));
      const walk = walkFunction(m, shared, arity);
      return m.function(name, ['i32', 'i32', 'i32'], 'void', (f, args, part, parts) => {
        f.do(call(walk, args, part, parts, i32.const(number), i32.const(block)));
      });
    },
  };
}

/** copy(to, from, bytes) for a few bytes. */
function copyFunction(
  m: ModuleBuilder,
  shared: SharedFunctions,
): FunctionRef<readonly ['i32', 'i32', 'i32'], 'void'> {
  return shared.once('copyBytes', () =>
    m.function('copyBytes', ['i32', 'i32', 'i32'], 'void', (f, to, from, bytes) => {
      f.while(i32.ge_s(bytes, i32.const(4)), () => {
        f.do(i32.store(to, i32.load(from)));
        f.increment(to, 4);
        f.increment(from, 4);
        f.increment(bytes, -4);
      });
      f.while(bytes, () => {
        f.do(i32.store8(to, i32.load8_u(from)));
        f.increment(to, 1);
        f.increment(from, 1);
        f.increment(bytes, -1);
      });
    }),
  );
}

/** walk(args, part, parts, number of the inner loop, block) */
function walkFunction(
  m: ModuleBuilder,
  shared: SharedFunctions,
  arity: number,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  const name = `walk${arity}`;
  const copy = copyFunction(m, shared);
  const pack = packFunction(m, shared);
  const params = ['i32', 'i32', 'i32', 'i32', 'i32'] as const;
  const signature = {
    params: Array.from({ length: arity + 3 }, () => 'i32' as const),
    result: 'void',
  } as const;
  return shared.once(name, () =>
    m.function(name, params, 'void', (f, args, part, parts, number, block) => {
      const size = f.local('i32', i32.load(args, AT.size));
      const piece = f.local('i32', i32.load(args, AT.piece));
      const ownBytes = f.local('i32', i32.mul(part, i32.load(args, AT.partBytes)));
      const tails = f.local('i32', i32.add(i32.load(args, AT.tails), ownBytes));
      const outBits = f.local('i32', i32.load(args, AT.outBits));
      const operands = Array.from({ length: arity }, (_, k) => ({
        description: f.local('i32', i32.add(args, i32.const(AT.operands + k * OPERAND_BYTES))),
        pointer: f.local('i32'),
        tail: (k + 1) * TAIL_BYTES,
      }));
      const pieces = i32.div_u(i32.add(size, i32.sub(piece, i32.const(1))), piece);
      const { from, to } = partRange(f, pieces, { part, parts });
      const index = f.local('i32');
      const first = f.local('i32', i32.const(1));
      const start = f.local('i32');
      const length = f.local('i32');
      const whole = f.local('i32');
      const rest = f.local('i32');
      const out = f.local('i32');
      const compute = (n: Expr<'i32'>, y: Expr<'i32'>, xs: readonly Expr<'i32'>[]): void =>
        f.do(m.callIndirect(signature, number, n, y, ...xs, args));
      f.for(index, from, to, 1, () => {
        f.set(start, i32.mul(index, piece));
        f.set(length, i32.sub(size, start));
        f.if(i32.gt_s(length, piece), () => f.set(length, piece));
        f.set(out, i32.add(i32.load(args, AT.out), i32.shl(start, outBits)));
        for (const { description: d, pointer } of operands) {
          f.set(pointer, i32.load(d, OPERAND.buffer));
          f.if(
            i32.eqz(pointer),
            () => {
              const bytes = i32.shl(start, i32.load(d, OPERAND.bits));
              f.set(pointer, i32.add(i32.load(d, OPERAND.address), bytes));
            },
            () => {
              f.set(pointer, i32.add(pointer, ownBytes));
              f.if(i32.or(first, i32.eqz(i32.load(d, OPERAND.once))), () => {
                f.do(call(pack, pointer, d, start, length));
              });
            },
          );
        }
        f.set(first, i32.const(0));
        f.set(whole, i32.and(length, i32.sub(i32.const(0), block)));
        f.set(rest, i32.sub(length, whole));
        const pointers = operands.map((x) => x.pointer);
        f.if(whole, () => compute(whole, out, pointers));
        f.if(rest, () => {
          for (const { description: d, pointer, tail } of operands) {
            const bits = i32.load(d, OPERAND.bits);
            const end = i32.add(pointer, i32.shl(whole, bits));
            f.do(call(copy, i32.add(tails, i32.const(tail)), end, i32.shl(rest, bits)));
          }
          const ends = operands.map(({ tail }) => i32.add(tails, i32.const(tail)));
          compute(block, tails, ends);
          const outEnd = i32.add(out, i32.shl(whole, outBits));
          f.do(call(copy, outEnd, tails, i32.shl(rest, outBits)));
        });
      });
    }),
  );
}

/** How many elements a piece has, unless it is chosen to be a multiple of a row. */
const PIECE = 1024;
const LARGEST_PIECE = 4096;

interface Layout {
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
  readonly direct: boolean;
  /** After so many elements the operand begins again; its whole size when it does not. */
  readonly period: number;
}

/** An operand as seen from the output's shape; null when it has too many axes. */
export function layoutOf(x: Operand, shape: readonly number[], size: number): Layout | null {
  if (x.contiguous && x.size === size)
    return { sizes: [size], steps: [1], direct: true, period: size };
  const walk = coalesce(shape, [broadcastStrides(x.shape, x.strides, shape)]);
  const sizes = [...walk.shape].reverse();
  const steps = [...walk.strides[0]].reverse();
  if (sizes.length > MAX_AXES) return null;
  const direct = sizes.length === 1 && steps[0] === 1;
  // Equal outer parts: the axis that is outermost is stood still on.
  const repeats = steps[steps.length - 1] === 0 ? sizes[sizes.length - 1] : 1;
  return { sizes, steps, direct, period: size / repeats };
}

const leastCommonMultiple = (a: number, b: number): number => {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
};

/** What the description of an operand holds. */
export function describe(
  k: number,
  x: Operand,
  { sizes, steps }: Layout,
  buffer: number,
  once: boolean,
): Record<string, number> {
  const bits = ITEM_BITS[x.dtype];
  const fields: Record<string, number> = {
    [`address${k}`]: x.address,
    [`buffer${k}`]: buffer,
    [`once${k}`]: once ? 1 : 0,
    [`bits${k}`]: bits,
  };
  for (let axis = 0; axis < MAX_AXES; axis++) {
    fields[`size${k}_${axis}`] = sizes[axis] ?? 1;
    fields[`step${k}_${axis}`] = (steps[axis] ?? 0) * 2 ** bits;
  }
  return fields;
}

/** How an element-wise op is to be run. */
export interface ElementWork {
  readonly p?: number;
  readonly q?: number;
  /** From so many elements on, the work is shared. */
  readonly parallelFrom: number;
  readonly flops: number;
}

/**
 * The command for an element-wise kernel.
 *
 * @returns null when an operand has more than `MAX_AXES` axes that cannot be merged
 */
export function elementCommand(
  k: ElementKernel,
  inputs: readonly Operand[],
  out: Operand,
  context: LoweringContext,
  { p = 0, q = 0, parallelFrom, flops }: ElementWork,
): readonly Command[] | null {
  const { size } = out;
  if (size === 0) return [];
  const layouts: Layout[] = [];
  for (const x of inputs) {
    const layout = layoutOf(x, out.shape, size);
    if (layout === null) return null;
    layouts.push(layout);
  }
  // A piece that is a multiple of what repeats needs that to be packed only once.
  const repeating = layouts.filter((x) => !x.direct && x.period < size);
  let multiple = k.block;
  for (const { period } of repeating) {
    const next = leastCommonMultiple(multiple, period);
    if (next <= LARGEST_PIECE) multiple = next;
  }
  const piece = multiple * Math.max(1, Math.floor(PIECE / multiple));
  const parallel = size >= parallelFrom;
  const packed = layouts.filter((x) => !x.direct).length;
  const pieceBytes = 8 * piece + TAIL_BYTES;
  const partBytes = (k.arity + 1) * TAIL_BYTES + packed * pieceBytes;
  const needed = packed > 0 || size % k.block !== 0;
  const base = needed ? context.scratch(partBytes * (parallel ? context.threads : 1)) : 0;
  let buffer = base + (k.arity + 1) * TAIL_BYTES;
  const args: Record<string, number> = {
    out: out.address,
    outBits: ITEM_BITS[out.dtype],
    size,
    piece,
    tails: base,
    partBytes,
    p,
    q,
  };
  inputs.forEach((x, i) => {
    const layout = layouts[i];
    const once = piece % layout.period === 0;
    Object.assign(args, describe(i, x, layout, layout.direct ? 0 : buffer, once));
    if (!layout.direct) buffer += pieceBytes;
  });
  return [command(k, args, { parallel, flops: flops * size })];
}
