/** Matrix products: which kernel computes matmul, dot and outer, and with which blocks. */
import { gemmF32, gemmF64, SPLIT } from './blocked.js';
import { ACTIVATION } from './epilogue.js';
import { IN_PLACE_COLUMNS, IN_PLACE_SPLIT, addBlocksF32, gemmInPlaceF32 } from './in-place.js';
import { ROWS_MULTIPLE, TILE_BYTES, gemmPeakF32 } from './micro.js';
import { finishF32, matrixVectorF32, outerF32, vectorMatrixF32 } from './vector.js';
import {
  command,
  type Command,
  type Epilogue,
  type Kernel,
  type Lowering,
  type LoweringContext,
  type Operand,
} from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { broadcastShapes, broadcastStrides, rowMajorStrides } from '../../../shape.js';
import type { MatmulAttrs } from '../../../ops/linalg.js';
import { roundUp } from '../heap.js';

/** Greatest blocks: kc·NR of B in the first cache (32 KiB), mc·kc of A and nc·kc of B in the second (1 MiB). */
const MC = 120;
const NC = 512;
const KC = 400;

/** Elements (26 KiB) of a block where nothing is packed: all rows of A and one tile's columns of B stay in the first cache. */
const IN_PLACE_BLOCK = 6656;

/**
 * Whether A's panels are read where they are, [k][m], with rows so many bytes apart: packing them does not pay when few tiles use
 * each, or they are few. Rows that are pages apart displace one another in the first cache.
 */
const readsA = (n: number, k: number, row: number): boolean =>
  row % 4096 !== 0 && (n <= 16 || (n <= 32 && k <= 64));

/** The same for B, [k][n], whose rows do not displace one another in the cache if they are short. */
const readsB = (m: number, n: number): boolean => m <= 12 || (m <= 64 && m * n <= 4096);

/** From so many multiply-adds on (about 20 µs), threads share the work: with less the next call waits for results in the other cache. */
export const PARALLEL = 400_000;

/** The same for products with a vector, which wait for memory. */
const PARALLEL_VECTOR = 250_000;

/** No more than this many blocks of k by threads of their own: each has a matrix as its result. */
const MAX_BLOCKS = 64;

/** No more than this many products by commands of their own, when the batch axes cannot be walked with one step. */
const MAX_COMMANDS = 256;

/** One matrix: where it begins, and the steps in elements from row to row and from column to column. */
interface Matrix {
  readonly address: number;
  readonly row: number;
  readonly column: number;
}

/** [m, k] times [k, n]; rows of the result, at address c, are contiguous. */
interface SingleProduct {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: number;
}

/** So many products, with the steps in elements from one to the next. */
interface Product extends SingleProduct {
  readonly batch: number;
  readonly aBatch: number;
  readonly bBatch: number;
  readonly cBatch: number;
}

/** An axis of the batch, with the steps in elements. */
interface BatchAxis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

interface BatchedProduct extends SingleProduct {
  /** Outermost first. */
  readonly batchAxes: readonly BatchAxis[];
}

/** Numbers of an epilogue, for the kernel. */
interface Finish {
  readonly bias: number;
  readonly activation: number;
}

/** The epilogue's numbers; null when the kernels cannot do it. */
function finishOf(epilogue: Epilogue | null, n: number): Finish | null {
  if (epilogue === null) return { bias: 0, activation: 0 };
  const { bias, activation } = epilogue;
  if (bias !== null && (bias.dtype !== 'float32' || !bias.contiguous || bias.size !== n))
    return null;
  return {
    bias: bias?.address ?? 0,
    activation: activation === null ? 0 : ACTIVATION[activation],
  };
}

/** The command for products of any layout. */
function blocked(
  product: Product,
  dtype: 'float32' | 'float64',
  finish: Finish,
  { threads, ...blocks }: Blocks,
): Command {
  const { m, n, k, a, b, c, batch, aBatch, bBatch, cBatch } = product;
  const bytes = dtype === 'float32' ? 4 : 8;
  const work = batch * m * n * k;
  return command(
    dtype === 'float32' ? gemmF32 : gemmF64,
    {
      m,
      n,
      k,
      a: a.address,
      aRow: a.row * bytes,
      aColumn: a.column * bytes,
      b: b.address,
      bRow: b.row * bytes,
      bColumn: b.column * bytes,
      c,
      batch,
      aBatch: aBatch * bytes,
      bBatch: bBatch * bytes,
      cBatch: cBatch * bytes,
      split: batch > 1 && batch >= threads ? SPLIT.batch : m > n ? SPLIT.rows : SPLIT.columns,
      aDirect: a.row === 1 && readsA(n, k, bytes * a.column) ? 1 : 0,
      bDirect: b.column === 1 && readsB(m, n) ? 1 : 0,
      ...blocks,
      ...finish,
    },
    { parallel: work >= PARALLEL, flops: 2 * work },
  );
}

/** The sizes of blocks, and scratch for them. */
type Blocks = Readonly<Record<'mc' | 'nc' | 'kc' | 'scratch' | 'scratchPart' | 'threads', number>>;

/** Few rows with few columns: the elements of B are used for few rows, so that packing them does not pay. */
const isSmall = ({ m, n }: SingleProduct): boolean =>
  n % IN_PLACE_COLUMNS === 0 && m <= (n <= 64 ? 64 : n <= 256 ? 6 : 0);

/** Blocks of k, all of one size but for the last. */
function blockOfK(product: SingleProduct): number {
  const { m, k } = product;
  const most = isSmall(product) ? Math.floor(IN_PLACE_BLOCK / (m + IN_PLACE_COLUMNS)) : KC;
  return Math.ceil(k / Math.ceil(k / most));
}

function blocksFor(product: Product, bytes: number, context: LoweringContext): Blocks {
  const { m, n } = product;
  const mc = Math.min(MC, roundUp(m, ROWS_MULTIPLE));
  const nc = Math.min(NC, roundUp(n, 32 / bytes));
  const kc = blockOfK(product);
  const scratchPart = TILE_BYTES + roundUp((mc + nc) * kc * bytes, 64);
  const { threads } = context;
  return { mc, nc, kc, scratch: context.scratch(scratchPart * threads), scratchPart, threads };
}

/** The commands for a product with a vector, or of two vectors, in float32; null when it is not one, or lies otherwise. */
function withVector({ m, n, k, a, b, c, batch }: Product, finish: Finish): Command[] | null {
  if (batch > 1) return null;
  const ending: Command[] = [];
  if (finish.bias !== 0 || finish.activation !== 0) {
    ending.push(command(finishF32, { c, rows: m, columns: n, ...finish }));
  }
  if (m > 1 && n > 1) {
    if (k > 1 || b.column !== 1) return null;
    const args = { m, n, a: a.address, aStep: 4 * a.row, b: b.address, c };
    const work = { parallel: m * n >= PARALLEL_VECTOR, flops: m * n };
    return [command(outerF32, args, work), ...ending];
  }
  // A column is computed as the transposed row: cᵀ = bᵀ · Aᵀ.
  const [size, matrix, vector] =
    n === 1
      ? [m, { address: a.address, row: a.column, column: a.row }, { ...b, step: b.row }]
      : [n, b, { ...a, step: a.column }];
  const work = { parallel: size * k >= PARALLEL_VECTOR, flops: 2 * size * k };
  const commands: Command[] = [];
  if (matrix.column === 1 || size === 1) {
    const [aStep, bRow] = [4 * vector.step, 4 * matrix.row];
    const args = { n: size, k, a: vector.address, aStep, b: matrix.address, bRow, c };
    if (size > 1 || matrix.row !== 1 || vector.step !== 1) {
      commands.push(command(vectorMatrixF32, args, work));
    }
  }
  if (commands.length === 0) {
    if ((matrix.row !== 1 || vector.step !== 1) && k > 1) return null;
    const args = { m: size, k, a: matrix.address, aRow: 4 * matrix.column, b: vector.address, c };
    commands.push(command(matrixVectorF32, args, work));
  }
  return [...commands, ...ending];
}

/** Whether it is small and lies as its kernel needs it. */
const staysInPlace = (product: Product): boolean =>
  isSmall(product) && product.batch === 1 && product.a.column === 1 && product.b.column === 1;

/**
 * The commands for a product that reads both operands where they are. Threads share blocks of k, if there are enough: then each
 * reads a part of A and of B that no other reads; of a layer's weights, those that it updated a step before.
 */
function inPlace(product: Product, finish: Finish, context: LoweringContext): Command[] {
  const { m, n, k, a, b, c } = product;
  const kc = blockOfK(product);
  const blocks = Math.ceil(k / kc);
  const parallel = m * n * k >= PARALLEL;
  const matrices = { a: a.address, aRow: 4 * a.row, b: b.address, bRow: 4 * b.row };
  const shared = { m, n, k, kc, blocks, ...matrices };
  const work = { parallel, flops: 2 * m * n * k };
  const ofBlocks = context.threads > 1 && blocks >= context.threads && blocks <= MAX_BLOCKS;
  if (!parallel || !ofBlocks) {
    const args = { ...shared, c, split: IN_PLACE_SPLIT.rows, ...finish };
    return [command(gemmInPlaceF32, args, work)];
  }
  const from = context.scratch(4 * blocks * m * n);
  const args = { ...shared, c: from, split: IN_PLACE_SPLIT.blocks, bias: 0, activation: 0 };
  return [
    command(gemmInPlaceF32, args, work),
    command(addBlocksF32, { m, n, blocks, from, c, ...finish }),
  ];
}

/** The commands for products: outer batch axes by commands of their own, the inner one by the kernel. */
export function multiply(
  { batchAxes, ...product }: BatchedProduct,
  dtype: Operand['dtype'],
  epilogue: Epilogue | null,
  context: LoweringContext,
): readonly Command[] | null {
  if (dtype !== 'float32' && dtype !== 'float64') return null;
  const { m, n, k, a, b, c } = product;
  const [inner, ...outer] = mergeAxes(batchAxes).reverse();
  const count = outer.reduce((total, { size }) => total * size, 1);
  const finish = finishOf(epilogue, n);
  if (finish === null || count > MAX_COMMANDS || m * n * k * inner.size * count === 0) return null;
  if (dtype === 'float64' && epilogue !== null) return null;
  const bytes = dtype === 'float32' ? 4 : 8;
  const one = { ...product, batch: inner.size, aBatch: inner.a, bBatch: inner.b, cBatch: inner.c };
  if (count === 1 && dtype === 'float32') {
    const commands = withVector(one, finish);
    if (commands !== null) return commands;
    if (staysInPlace(one)) return inPlace(one, finish, context);
  }
  const blocks = blocksFor(one, bytes, context);
  return Array.from({ length: count }, (_, index) => {
    const offset = { a: 0, b: 0, c: 0 };
    let rest = index;
    for (const axis of outer) {
      const i = rest % axis.size;
      rest = (rest - i) / axis.size;
      offset.a += i * axis.a * bytes;
      offset.b += i * axis.b * bytes;
      offset.c += i * axis.c * bytes;
    }
    const moved = {
      ...one,
      a: { ...a, address: a.address + offset.a },
      b: { ...b, address: b.address + offset.b },
      c: c + offset.c,
    };
    return blocked(moved, dtype, finish, blocks);
  });
}

/** The axes outermost first, with those joined that can be walked with one step; at least one. */
function mergeAxes(axes: readonly BatchAxis[]): BatchAxis[] {
  const merged: BatchAxis[] = [{ size: 1, a: 0, b: 0, c: 0 }];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const { size, a, b, c } = merged[merged.length - 1];
    const joins = a === axis.a * axis.size && b === axis.b * axis.size && c === axis.c * axis.size;
    if (size === 1) merged[merged.length - 1] = axis;
    else if (joins) merged[merged.length - 1] = { ...axis, size: size * axis.size };
    else merged.push(axis);
  }
  return merged;
}

/** An operand's last two axes as a matrix; a vector is a row on the left and a column on the right. */
function lastTwo(
  { shape, strides, address }: Operand,
  transpose: boolean,
  vectorAs: 'row' | 'column',
): Matrix & { batch: readonly number[]; rows: number; columns: number } {
  const [last, before] = [shape.length - 1, shape.length - 2];
  if (shape.length === 1) {
    return vectorAs === 'row'
      ? { address, batch: [], rows: 1, columns: shape[0], row: 0, column: strides[0] }
      : { address, batch: [], rows: shape[0], columns: 1, row: strides[0], column: 0 };
  }
  const batch = shape.slice(0, -2);
  const [i, j] = transpose ? [last, before] : [before, last];
  return { address, batch, rows: shape[i], columns: shape[j], row: strides[i], column: strides[j] };
}

const matmul: Lowering<MatmulAttrs> = (
  { inputs: [a, b], outputs: [out], attrs: { transposeA = false, transposeB = false }, epilogue },
  context,
) => {
  const left = lastTwo(a, transposeA, 'row');
  const right = lastTwo(b, transposeB, 'column');
  const [m, k, n] = [left.rows, left.columns, right.columns];
  // The last axis of the result, which a bias belongs to, is that of the columns only if there is one.
  if (epilogue !== null && b.shape.length === 1) return null;
  const product = { m, n, k, a: left, b: right, c: out.address };
  if (right.batch.length === 0 && a.contiguous && !transposeA && a.shape.length > 2) {
    // One matrix for the whole batch: all rows of a are one tall matrix.
    const rows = k === 0 ? 0 : a.size / k;
    return multiply({ ...product, m: rows, batchAxes: [] }, out.dtype, epilogue, context);
  }
  const batch = broadcastShapes('matmul', left.batch, right.batch);
  const aSteps = broadcastStrides(left.batch, a.strides.slice(0, left.batch.length), batch);
  const bSteps = broadcastStrides(right.batch, b.strides.slice(0, right.batch.length), batch);
  const cSteps = rowMajorStrides(batch).map((stride) => stride * m * n);
  const batchAxes = batch.map((size, i) => ({ size, a: aSteps[i], b: bSteps[i], c: cSteps[i] }));
  return multiply({ ...product, batchAxes }, out.dtype, epilogue, context);
};

/** numpy.dot of contiguous rows with a vector or a matrix; other layouts are left to the op. */
const dot: Lowering = ({ inputs: [a, b], outputs: [out], epilogue }, context) => {
  if (!a.contiguous || b.shape.length > 2 || epilogue !== null) return null;
  const { rows: k, columns: n, ...right } = lastTwo(b, false, 'column');
  const m = k === 0 ? 0 : a.size / k;
  const left = { address: a.address, row: k, column: 1 };
  return multiply(
    { m, n, k, a: left, b: right, c: out.address, batchAxes: [] },
    out.dtype,
    null,
    context,
  );
};

const outer: Lowering = ({ inputs: [a, b], outputs: [out], epilogue }, context) => {
  if (epilogue !== null) return null;
  const [m, n] = out.shape;
  const left = { address: a.address, row: a.strides[0], column: 0 };
  const right = { address: b.address, row: 0, column: b.strides[0] };
  return multiply(
    { m, n, k: 1, a: left, b: right, c: out.address, batchAxes: [] },
    out.dtype,
    null,
    context,
  );
};

export const gemmKernels: readonly Kernel[] = [
  gemmF32,
  gemmF64,
  gemmInPlaceF32,
  addBlocksF32,
  vectorMatrixF32,
  matrixVectorF32,
  outerF32,
  finishF32,
  gemmPeakF32,
];

export const gemmLowerings: LoweringTable = { matmul, dot, outer };
