/** Every case of metrics.json: the result after each batch. */
import { type DType } from '@tapegrad/tensor';
import { metrics, type Metric } from '@tapegrad/layers';
import { assertNumbersClose } from './support/close.js';
import { fromGolden, goldenCases, goldenTolerance, type GoldenTensor } from './support/golden.js';
import { callByName } from './support/names.js';

interface MetricCase {
  readonly name: string;
  readonly metric: string;
  readonly config: object;
  readonly batches: readonly { readonly yTrue: GoldenTensor; readonly yPred: GoldenTensor }[];
  readonly outputs: { readonly results: readonly GoldenTensor[] };
}

function check({ name, metric: id, config, batches, outputs }: MetricCase, float: DType): void {
  const metric = callByName(`${name}: metric`, metrics, metrics.metricNames, id, config) as Metric;
  expect(outputs.results).toHaveLength(batches.length);
  batches.forEach(({ yTrue, yPred }, i) => {
    metric.update(fromGolden(yTrue, float), fromGolden(yPred, float));
    const result = metric.result();
    const expected = outputs.results[i];
    const what = `${name}, after batch ${i} in ${float}`;
    // A list of thresholds gives a list, one threshold a number.
    expect(Array.isArray(result)).toBe(expected.shape.length > 0);
    // Ratios of counts: no rounding of float32 is in them.
    const numbers = typeof result === 'number' ? [result] : result;
    assertNumbersClose(what, numbers, expected.data, goldenTolerance('float64', 'output'));
  });
}

const cases = goldenCases<MetricCase>('metric');

describe.each(['float64', 'float32'] as const)('metrics.json in %s', (float) => {
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', (_, golden) => {
    check(golden, float);
  });
});

describe('the comparison itself', () => {
  const golden: MetricCase = {
    name: 'half',
    metric: 'categoricalAccuracy',
    config: {},
    batches: [
      {
        yTrue: { shape: [2, 2], data: [1, 0, 0, 1] },
        yPred: { shape: [2, 2], data: [0.9, 0.1, 0.8, 0.2] },
      },
    ],
    outputs: { results: [{ shape: [], data: [0.5] }] },
  };

  test('passes what is right', () => check(golden, 'float32'));

  test('refuses an unknown metric, an unknown setting and a wrong value', () => {
    const refuse = (change: Partial<MetricCase>, message: RegExp): void => {
      expect(() => check({ ...golden, ...change }, 'float64')).toThrow(message);
    };
    refuse({ metric: 'getMetric' }, /half: metric: unknown 'getMetric'/);
    refuse({ config: { k: 2 } }, /Unknown option of categoricalAccuracy 'k'/);
    const results = [{ shape: [], data: [0.50001] }];
    refuse({ outputs: { results } }, /half, after batch 0 in float64: 1 of 1 elements differ/);
  });
});
