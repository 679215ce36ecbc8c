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
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, f64, i32 } from '../assembler/instructions.js';
import type { SharedFunctions } from '../kernel.js';
import type { Format } from './micro.js';
import { shuffle32, v128 } from '../assembler/simd.js';

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
    const packPanel = definePackPanel(m, format, width);
    // Narrow panels are packed in pairs: a cache line, which holds several of them, is read less often.
    const packPair = width * format.bytes < 32 ? definePackPair(m, format, width) : null;
    return m.function(name, SIGNATURE, 'void', (f, from, laneStep, kStep, lanes, k, to) => {
      const panel = f.local('i32', i32.mul(k, i32.const(width * format.bytes)));
      const next = f.local('i32', i32.mul(laneStep, i32.const(width)));
      if (packPair !== null) {
        f.if(i32.eq(laneStep, i32.const(format.bytes)), () => {
          f.while(i32.ge_s(lanes, i32.const(2 * width)), () => {
            f.do(call(packPair, from, kStep, k, to, panel));
            f.increment(from, i32.mul(next, i32.const(2)));
            f.increment(to, i32.mul(panel, i32.const(2)));
            f.increment(lanes, -2 * width);
          });
        });
      }
      f.while(i32.gt_s(lanes, i32.const(0)), () => {
        f.do(call(packPanel, from, laneStep, kStep, lanes, k, to));
        f.increment(from, next);
        f.increment(to, panel);
        f.increment(lanes, -width);
      });
    });
  });
}

/** (from, kStep, k, to, panel): two neighbouring panels of contiguous lanes, `panel` bytes each. */
function definePackPair(
  m: ModuleBuilder,
  format: Format,
  width: number,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  const step = width * format.bytes;
  const name = `packPair${width}${format.name}`;
  return m.function(
    name,
    ['i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, from, kStep, k, to, panel) => {
      const second = f.local('i32', i32.add(to, panel));
      f.while(k, () => {
        copyRow(f, from, 0, to, step);
        copyRow(f, from, step, second, step);
        f.increment(from, kStep);
        f.increment(to, step);
        f.increment(second, step);
        f.increment(k, -1);
      });
    },
  );
}

/** Packs one panel; fewer lanes than its width are filled up, more are none of its business. */
function definePackPanel(m: ModuleBuilder, format: Format, width: number): PackFunction {
  const { bytes } = format;
  const step = width * bytes;
  const copyLane = defineCopyLane(m, format, step);
  const transposes = (bytes === 4 ? ([4, 2] as const) : []).map((rows) => ({
    rows,
    transpose: defineTranspose(m, rows, step),
  }));
  const name = `packPanel${width}${format.name}`;
  return m.function(name, SIGNATURE, 'void', (f, from, laneStep, kStep, lanes, k, to) => {
    const row = f.local('i32', to);
    const left = f.local('i32', k);
    const [at, lane] = [f.local('i32'), f.local('i32')];
    const eachRow = (body: () => void): void => {
      f.while(left, () => {
        body();
        f.increment(row, step);
        f.increment(left, -1);
      });
    };
    f.if(
      i32.ge_s(lanes, i32.const(width)),
      () => {
        f.set(lanes, i32.const(width));
        f.if(i32.eq(laneStep, i32.const(bytes)), () => {
          eachRow(() => {
            copyRow(f, from, 0, row, step);
            f.increment(from, kStep);
          });
          f.return();
        });
      },
      () => eachRow(() => copyBytes(f, () => v128.zero(), row, step)),
    );
    const done = i32.and(k, i32.const(-4));
    f.while(i32.gt_s(lanes, i32.const(0)), () => {
      f.block((next) => {
        for (const { rows, transpose } of transposes) {
          const possible = i32.and(
            i32.eq(kStep, i32.const(bytes)),
            i32.ge_s(lanes, i32.const(rows)),
          );
          f.if(possible, () => {
            f.do(call(transpose, from, laneStep, i32.shr_u(k, i32.const(2)), to));
            f.set(at, i32.add(from, i32.mul(done, kStep)));
            f.set(row, i32.add(to, i32.mul(done, i32.const(step))));
            f.set(left, i32.and(k, i32.const(3)));
            eachRow(() => {
              f.set(lane, at);
              for (let i = 0; i < rows; i++) {
                f.do(f32.store(row, f32.load(lane), i * bytes));
                f.increment(lane, laneStep);
              }
              f.increment(at, kStep);
            });
            f.increment(from, i32.mul(laneStep, i32.const(rows)));
            f.increment(to, rows * bytes);
            f.increment(lanes, -rows);
            f.br(next);
          });
        }
        f.do(call(copyLane, from, kStep, k, to));
        f.increment(from, laneStep);
        f.increment(to, bytes);
        f.increment(lanes, -1);
      });
    });
  });
}

/** (from, kStep, k, to): one lane of a panel whose rows are `step` bytes apart. */
function defineCopyLane(
  m: ModuleBuilder,
  { name, bytes }: Format,
  step: number,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32'], 'void'> {
  return m.function(
    `copyLaneBy${step}${name}`,
    ['i32', 'i32', 'i32', 'i32'],
    'void',
    (f, from, kStep, k, to) => {
      f.while(k, () => {
        f.do(bytes === 4 ? f32.store(to, f32.load(from)) : f64.store(to, f64.load(from)));
        f.increment(from, kStep);
        f.increment(to, step);
        f.increment(k, -1);
      });
    },
  );
}

/** Copies so many bytes, a multiple of 8, from `offset` on. */
function copyRow(
  f: FunctionBuilder,
  from: Local<'i32'>,
  offset: number,
  to: Local<'i32'>,
  bytes: number,
): void {
  const load = (at: number): Expr<'v128'> =>
    at + 16 > bytes ? v128.load64_zero(from, offset + at) : v128.load(from, offset + at);
  copyBytes(f, load, to, bytes);
}

/** Stores so many bytes, a multiple of 8, of what `load` gives for each 16 of them. */
function copyBytes(
  f: FunctionBuilder,
  load: (offset: number) => Expr<'v128'>,
  to: Local<'i32'>,
  bytes: number,
): void {
  let at = 0;
  for (; at + 16 <= bytes; at += 16) f.do(v128.store(to, load(at), at));
  if (at < bytes) f.do(v128.store64_lane(to, load(at), 0, at));
}

/** (from, rowStep, quads, to): 4·quads elements of each row become 4·quads rows of `rows` elements, `step` bytes apart. */
function defineTranspose(
  m: ModuleBuilder,
  rows: 2 | 4,
  step: number,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32'], 'void'> {
  return m.function(
    `transpose${rows}By${step}`,
    ['i32', 'i32', 'i32', 'i32'],
    'void',
    (f, from, rowStep, quads, to) => {
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
    },
  );
}
