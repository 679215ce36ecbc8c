/**
 * Every op, by the table of rows: on contiguous tensors and on views, against its plain definition, without elements, and
 * with every dtype.
 */
import {
  DTYPES,
  ShapeError,
  type Tensor,
  formatShape,
  isFloat,
  opNames,
  run,
  specs,
  tensor,
  zeros,
  type DType,
  type KernelOp,
  type OpName,
  type OpSpec,
} from '@tapegrad/tensor';
import { EXACT, assertClose, type Tolerance } from '../support/close.js';
import { contiguous, layouts, repeatedAlong, withStrideZero } from '../support/layouts.js';
import { build, type Naive } from '../support/naive.js';
import { opRows } from '../support/op-rows.js';
import { common, type Case, type OpRow, type Sample } from '../support/op-rows/types.js';

const rowOf = (name: OpName): OpRow => opRows[name] as OpRow;
const attrsOf = ({ attrs = {} }: Pick<Case, 'attrs'>): object =>
  typeof attrs === 'function' ? (attrs as () => object)() : attrs;

/** Runs any op; of an update in place the results are its inputs, as they are afterwards. */
function runAny(spec: OpSpec, inputs: readonly Tensor[], attrs: object): readonly Tensor[] {
  if (spec.kind === 'list') return run(spec, inputs, attrs);
  if (spec.kind !== 'update') return [run(spec as KernelOp, inputs, attrs)];
  run(spec, inputs, attrs);
  return inputs;
}

const written = (spec: OpSpec): readonly number[] => (spec.kind === 'update' ? spec.writes : []);
const dtypeOf = (x: Sample): DType => x.dtype ?? 'float64';
const plain = ({ shape, data }: Sample): Naive => ({ shape, data });

/** Runs an op, checks that it changes nothing that it should not, and gives its results. */
function runPure(
  what: string,
  spec: OpSpec,
  inputs: readonly Tensor[],
  attrs: object,
): readonly Tensor[] {
  const before = inputs.map((x) => x.data.slice());
  const results = runAny(spec, inputs, attrs);
  inputs.forEach((x, i) => {
    if (written(spec).includes(i)) return;
    assertClose(`${what}: memory of input ${i}`, tensor(x.data), { shape: [x.data.length], data: before[i] }, EXACT); // prettier-ignore
  });
  return results;
}

function assertSame(what: string, results: readonly Tensor[], expected: readonly Tensor[]): void {
  expect(results).toHaveLength(expected.length);
  results.forEach((result, i) => {
    const { shape, dtype } = expected[i];
    const data = expected[i].toTypedArray();
    assertClose(`${what}: result ${i}`, result, { shape, data }, EXACT, dtype);
  });
}

describe.each(opNames)('%s', (name) => {
  const spec: OpSpec = specs[name];
  const row = rowOf(name);
  const fixed = written(spec);

  test('has cases', () => {
    expect(row.cases.length).toBeGreaterThan(0);
    expect(spec.name).toBe(name);
  });

  test('gives on views what it gives on contiguous copies, and leaves its inputs alone', () => {
    for (const [c, { inputs, ...rest }] of row.cases.entries()) {
      const fresh = (): Tensor[] => inputs.map((x) => contiguous(x, dtypeOf(x)));
      const expected = runPure(`${name}, case ${c}`, spec, fresh(), attrsOf(rest));
      const views = Object.entries(layouts);
      for (const [how, lay] of views) {
        // All inputs laid out so, and each alone.
        const choices = [inputs.map((_, i) => i), ...inputs.map((_, i) => [i])];
        for (const chosen of choices) {
          const mixed = fresh().map((x, i) =>
            chosen.includes(i) && !fixed.includes(i) ? lay(inputs[i], dtypeOf(inputs[i])) : x,
          );
          const what = `${name}, case ${c}, inputs ${chosen.join()} ${how}`;
          assertSame(what, runPure(what, spec, mixed, attrsOf(rest)), expected);
        }
      }
    }
  });

  test('gives on broadcast views what it gives on contiguous copies', () => {
    for (const [c, { inputs, ...rest }] of row.cases.entries()) {
      for (const [i, x] of inputs.entries()) {
        if (fixed.includes(i)) continue;
        for (let axis = 0; axis < x.shape.length; axis++) {
          if (x.shape[axis] === 0) continue;
          const repeated = repeatedAlong(x, axis);
          const using = (view: Tensor): Tensor[] =>
            inputs.map((other, j) => (j === i ? view : contiguous(other, dtypeOf(other))));
          const copy = using(contiguous(repeated, dtypeOf(x)));
          const view = using(withStrideZero(repeated, dtypeOf(x), axis));
          const what = `${name}, case ${c}, input ${i} repeated along axis ${axis}`;
          const expected = runPure(what, spec, copy, attrsOf(rest));
          assertSame(what, runPure(what, spec, view, attrsOf(rest)), expected);
        }
      }
    }
  });

  const { expected } = row;
  if (expected !== undefined) {
    test('is what its definition says', () => {
      // Both compute in double precision, by formulas that may round differently.
      const tolerance: Tolerance = { relative: 1e-12, absolute: 1e-14 };
      for (const [c, { inputs, ...rest }] of row.cases.entries()) {
        const tensors = inputs.map((x) => contiguous(x, dtypeOf(x)));
        const results = runAny(spec, tensors, attrsOf(rest));
        const made = expected(inputs.map(plain), attrsOf(rest));
        const definitions = Array.isArray(made) ? made : [made];
        expect(results).toHaveLength(definitions.length);
        definitions.forEach((definition, i) => {
          assertClose(`${name}, case ${c}: result ${i}`, results[i], definition, tolerance);
        });
      }
    });
  }

  if (row.empty !== undefined && row.empty.length > 0) {
    test('takes tensors without elements as NumPy does', () => {
      for (const { inputs, shape, fill = NaN, ...rest } of row.empty ?? []) {
        const tensors = inputs.map((size, i) => {
          const named = spec.inputs === 'list' ? '' : spec.inputs[i];
          const dtype =
            named === 'indices' ? 'int32' : named === 'condition' ? 'bool' : ('float64' as const);
          const value = named === 'indices' ? 0 : 1;
          return contiguous(
            build(size, () => value),
            dtype,
          );
        });
        const [result] = runAny(spec, tensors, attrsOf(rest));
        const what = `${name} of ${inputs.map(formatShape).join(', ')} with ${JSON.stringify(rest)}`;
        assertClose(
          what,
          result,
          build(shape, () => fill),
          EXACT,
        );
      }
    });
  }

  const { dtypes } = row;
  if (dtypes !== null) {
    test.each(DTYPES)('has the right dtype for %s', (dtype) => {
      const [{ inputs, ...rest }] = row.cases;
      // Ones: a value that every dtype holds and every op takes.
      const ones = inputs.map((x) =>
        x.dtype === undefined
          ? contiguous(
              build(x.shape, () => 1),
              dtype,
            )
          : contiguous(x, x.dtype),
      );
      const [result] = runPure(`${name} of ${dtype}`, spec, ones, attrsOf(rest));
      expect([name, dtype, result.dtype]).toEqual([name, dtype, dtypes[dtype]]);
      // float32 and whole numbers give what float64 gives, to their precision.
      const [exact] = runAny(
        spec,
        ones.map((x, i) => (inputs[i].dtype === undefined ? x.cast('float64') : x)),
        attrsOf(rest),
      );
      const tolerance = isFloat(result.dtype) ? { relative: 1e-6, absolute: 1e-6 } : EXACT;
      assertClose(`${name} of ${dtype}`, result, { shape: exact.shape, data: exact.toTypedArray() }, tolerance); // prettier-ignore
    });
  }

  if (spec.kind === 'update') {
    test('refuses to write through a view that is not row-major', () => {
      const [{ inputs, ...rest }] = row.cases;
      for (const i of spec.writes) {
        if (inputs[i].shape.length < 2) continue;
        const tensors = inputs.map((x, j) =>
          j === i ? layouts.transposed(x, dtypeOf(x)) : contiguous(x, dtypeOf(x)),
        );
        const call = (): unknown => runAny(spec, tensors, attrsOf(rest));
        expect(call).toThrow(ShapeError);
        expect(call).toThrow(
          `${name}: what is changed in place must be row-major; got a view of shape [2, 3].`,
        );
      }
    });
  }
});

describe('two dtypes', () => {
  const pairs = DTYPES.flatMap((a) => DTYPES.map((b) => [a, b] as const));

  test.each(pairs)('%s with %s', (a, b) => {
    const [x, y] = [zeros([2], a), zeros([2], b)];
    const both = common(a, b);
    const number = both === 'bool' ? 'int32' : both;
    expect(x.add(y).dtype).toBe(number);
    expect(x.maximum(y).dtype).toBe(number);
    expect(x.matmul(y).dtype).toBe(number);
    expect(x.div(y).dtype).toBe(isFloat(both) ? both : 'float32');
    expect(x.equal(y).dtype).toBe('bool');
    expect(tensor([true, false]).where(x, y).dtype).toBe(both);
  });
});
