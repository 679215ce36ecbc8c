/**
 * Packing: a matrix of any strides is copied into panels that the micro-kernel reads from one end to the other.
 *
 *      lanes (rows of A, or columns of B)           panels [k][width], one after another
 *      0 1 2 3 4 5 6 7 8 9                          0 1 2 3   4 5 6 7   8 9 · ·
 *    0 ┌───────────────────┐                      0 ┌───────┐ ┌───────┐ ┌───────┐
 *    p │                   │          →           p │       │ │       │ │     0 │
 *      └───────────────────┘                        └───────┘ └───────┘ └───────┘
 *
 * Element (lane, p) lies at from + lane·laneStep + p·kStep. The last panel is filled up with zeros.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from './assembler.js';
import { f32, f64, i32 } from './instructions.js';
import type { SharedFunctions } from './kernel.js';
import type { Format } from './gemm-micro.js';
import { shuffle32, v128 } from './simd.js';

/** (from, laneStep, kStep, lanes, k, to): addresses and steps in bytes. */
export type PackFunction = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'>;

const SIGNATURE = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;

/** Packs a matrix into panels of this many lanes (a multiple of 2). */
export function packPanels(
  m: ModuleBuilder,
  shared: SharedFunctions,
  format: Format,
  width: number,
): PackFunction {
  const name = `packPanels${width}${format.name}`;
  return shared.once(name, () => {
    const packPanel = definePackPanel(m, shared, format, width);
    return m.function(name, SIGNATURE, 'void', (f, from, laneStep, kStep, lanes, k, to) => {
      const panel = f.local('i32', i32.mul(k, i32.const(width * format.bytes)));
      const next = f.local('i32', i32.mul(laneStep, i32.const(width)));
      f.while(i32.gt_s(lanes, i32.const(0)), () => {
        f.do(call(packPanel, from, laneStep, kStep, lanes, k, to));
        f.increment(from, next);
        f.increment(to, panel);
        f.increment(lanes, -width);
      });
    });
  });
}

/** Packs one panel; fewer lanes than its width are filled up, more are none of its business. */
function definePackPanel(
  m: ModuleBuilder,
  shared: SharedFunctions,
  format: Format,
  width: number,
): PackFunction {
  const { bytes } = format;
  const step = width * bytes;
  const vectorized = bytes === 4;
  const transpose4 = vectorized ? transposeRows(m, shared, 4, step) : null;
  const transpose2 = vectorized && width % 4 !== 0 ? transposeRows(m, shared, 2, step) : null;
  const name = `packPanel${width}${format.name}`;
  return m.function(name, SIGNATURE, 'void', (f, from, laneStep, kStep, lanes, k, to) => {
    f.if(i32.ge_s(lanes, i32.const(width)), () => {
      f.if(i32.eq(laneStep, i32.const(bytes)), () => {
        f.while(k, () => {
          copyBytes(f, from, to, step);
          f.increment(from, kStep);
          f.increment(to, step);
          f.increment(k, -1);
        });
        f.return();
      });
      if (transpose4 !== null) {
        f.if(i32.eq(kStep, i32.const(bytes)), () => {
          const quads = f.local('i32', i32.shr_u(k, i32.const(2)));
          const at = f.local('i32', from);
          for (let lane = 0; lane < width;) {
            const rows = width - lane >= 4 || transpose2 === null ? 4 : 2;
            const transpose = rows === 4 || transpose2 === null ? transpose4 : transpose2;
            f.do(call(transpose, at, laneStep, quads, i32.add(to, i32.const(lane * bytes))));
            f.increment(at, i32.mul(laneStep, i32.const(rows)));
            lane += rows;
          }
          const done = i32.and(k, i32.const(-4));
          f.increment(from, i32.mul(done, i32.const(bytes)));
          f.increment(to, i32.mul(done, i32.const(step)));
          f.set(k, i32.and(k, i32.const(3)));
        });
      }
    });
    const at = f.local('i32');
    f.while(k, () => {
      f.set(at, from);
      for (let lane = 0; lane < width; lane++) {
        f.if(
          i32.gt_s(lanes, i32.const(lane)),
          () => copyElement(f, format, at, to, lane * bytes),
          () => {
            const zero = bytes === 4 ? f32.store(to, f32.const(0), lane * bytes) : null;
            f.do(zero ?? f64.store(to, f64.const(0), lane * bytes));
          },
        );
        f.increment(at, laneStep);
      }
      f.increment(from, kStep);
      f.increment(to, step);
      f.increment(k, -1);
    });
  });
}

function copyElement(
  f: FunctionBuilder,
  { bytes }: Format,
  from: Local<'i32'>,
  to: Local<'i32'>,
  offset: number,
): void {
  if (bytes === 4) f.do(f32.store(to, f32.load(from), offset));
  else f.do(f64.store(to, f64.load(from), offset));
}

/** Copies so many bytes, a multiple of 8. */
function copyBytes(f: FunctionBuilder, from: Local<'i32'>, to: Local<'i32'>, bytes: number): void {
  let at = 0;
  for (; at + 16 <= bytes; at += 16) f.do(v128.store(to, v128.load(from, at), at));
  if (at < bytes) f.do(v128.store64_lane(to, v128.load64_zero(from, at), 0, at));
}

/** (from, rowStep, quads, to): 4·quads elements of each row become 4·quads rows of `rows` elements, `step` bytes apart. */
function transposeRows(
  m: ModuleBuilder,
  shared: SharedFunctions,
  rows: 2 | 4,
  step: number,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32'], 'void'> {
  const name = `transpose${rows}By${step}`;
  const make = (): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32'], 'void'> =>
    m.function(name, ['i32', 'i32', 'i32', 'i32'], 'void', (f, from, rowStep, quads, to) => {
      const row = [from];
      for (let i = 1; i < rows; i++) row.push(f.local('i32', i32.add(row[i - 1], rowStep)));
      f.while(quads, () => {
        const x = row.map((address) => f.local('v128', v128.load(address)));
        // Pairs of rows, interleaved: x₀₀ x₁₀ x₀₁ x₁₁ and x₀₂ x₁₂ x₀₃ x₁₃
        const pairs = [0, 2]
          .slice(0, rows / 2)
          .map((i) => [
            f.local('v128', shuffle32(x[i], x[i + 1], [0, 4, 1, 5])),
            f.local('v128', shuffle32(x[i], x[i + 1], [2, 6, 3, 7])),
          ]);
        for (let p = 0; p < 4; p++) {
          const half = p >> 1;
          if (rows === 2) {
            f.do(v128.store64_lane(to, pairs[0][half], p & 1, p * step));
          } else {
            const lanes = (p & 1) === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7];
            f.do(v128.store(to, shuffle32(pairs[0][half], pairs[1][half], lanes), p * step));
          }
        }
        for (const address of row) f.increment(address, 16);
        f.increment(to, 4 * step);
        f.increment(quads, -1);
      });
    });
  return shared.once(name, make);
}
