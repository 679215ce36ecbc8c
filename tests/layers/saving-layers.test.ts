/** Every class of layers out and in again, with the settings of all reference cases. */
import * as layers from '@tapegrad/layers';
import { Input, Model, modelFromBytes, type Layer, type SymbolicTensor } from '@tapegrad/layers';
import { Generator, type Tensor } from '@tapegrad/tensor';
import { Variable } from '@tapegrad/autograd';
import { fromGolden, goldenCases, type GoldenTensors } from '../support/golden.js';
import { builderOf, type Settings } from '../support/layer-builders.js';

/** A model of this layer alone, and one made of its bytes, must give the same. */
function expectRoundTrip(layer: Layer, samples: readonly Tensor[]): void {
  const inputs = samples.map(({ shape, dtype }, i) =>
    Input({ batchShape: [...shape], dtype, name: `input${i}` }),
  );
  const outputs: readonly SymbolicTensor[] = layer.applyAll(inputs);
  const model = new Model({ inputs, outputs });
  const bytes = model.toBytes();
  const copy = modelFromBytes(bytes);
  expect(copy.toBytes()).toEqual(bytes);
  expect(copy.layers[0].constructor).toBe(layer.constructor);
  expect(copy.weights.map((w) => w.name)).toEqual(model.weights.map((w) => w.name));
  const batchSize = samples[0].shape[0];
  const expected = model.predictAll([...samples], { batchSize });
  const found = copy.predictAll([...samples], { batchSize });
  expect(found.map((t) => t.toArray())).toEqual(expected.map((t) => t.toArray()));
}

interface LayerCase {
  readonly name: string;
  readonly layer: string;
  readonly config: Settings;
  readonly call?: Settings & { readonly training?: boolean };
  readonly inputs: GoldenTensors;
}

const seen = new Set<string>();

test.each(goldenCases<LayerCase>('layer').map((golden) => [golden.name, golden] as const))(
  '%s',
  (_, golden) => {
    const { training: _training, ...call } = golden.call ?? {};
    const settings = { ...golden.config, ...call };
    const builder = builderOf(golden.name, golden.layer, settings);
    const layer = builder.make(settings, 'float32');
    seen.add(layer.constructor.name);
    const given = Object.fromEntries(
      Object.entries(golden.inputs).map(([name, x]) => [
        name,
        new Variable(fromGolden(x, 'float32')),
      ]),
    );
    const list = builder.inputs?.(given) ?? Object.values(given);
    expectRoundTrip(
      layer,
      list.map(({ value }) => value),
    );
  },
);

const generator = new Generator('saving');
const pair = [generator.normal([2, 3, 4]), generator.normal([2, 3, 4])];

test.each<[string, Layer, readonly Tensor[]]>([
  ['Add', new layers.Add(), pair],
  ['Average', new layers.Average(), pair],
  ['Concatenate', new layers.Concatenate({ axis: 1 }), pair],
  ['Dot', new layers.Dot({ axes: 2, normalize: true }), pair],
  ['Maximum', new layers.Maximum(), pair],
  ['Minimum', new layers.Minimum(), pair],
  ['Multiply', new layers.Multiply(), pair],
  ['Subtract', new layers.Subtract(), pair],
  ['Attention', new layers.Attention({ useScale: true }), pair],
  ['Dropout', new layers.Dropout(0.5, { generator: new Generator(5) }), [pair[0]]],
  ['GaussianDropout', new layers.GaussianDropout(0.5), [pair[0]]],
  ['GaussianNoise', new layers.GaussianNoise(0.5), [pair[0]]],
  ['Masking', new layers.Masking({ maskValue: -1 }), [pair[0]]],
  ['Reshape', new layers.Reshape([-1, 2]), [pair[0]]],
  ['RNN', new layers.RNN(new layers.GRUCell(3), { returnState: true }), [pair[0]]],
  [
    'Bidirectional',
    new layers.Bidirectional(new layers.LSTM(3), {
      backwardLayer: new layers.GRU(3, { goBackwards: true }),
      mergeMode: null,
    }),
    [pair[0]],
  ],
  ['TimeDistributed', new layers.TimeDistributed(new layers.Dense(2)), [pair[0]]],
  ['LSTM', new layers.LSTM(3, { stateful: true, batchInputShape: [2, 3, 4] }), [pair[0]]],
  [
    'Conv2DTranspose',
    new layers.Conv2DTranspose(2, 3, { strides: 2, outputPadding: [1, 0] }),
    [generator.normal([1, 3, 3, 2])],
  ],
  [
    'UpSampling2D',
    new layers.UpSampling2D([2, 3], { interpolation: 'bilinear' }),
    [generator.normal([1, 3, 3, 2])],
  ],
])('%s', (_, layer, samples) => {
  seen.add(layer.constructor.name);
  expectRoundTrip(layer, samples);
});

test('no class is left out', () => {
  // Of cells alone there is no model; RNN has one inside. The others are bases.
  const others = [
    'BaseModel',
    'GRUCell',
    'LSTMCell',
    'Layer',
    'Model',
    'Sequential',
    'SimpleRNNCell',
  ];
  const classes = Object.entries(layers)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof layers.Layer)
    .map(([name]) => name);
  expect(classes.filter((name) => !seen.has(name) && !others.includes(name))).toEqual([]);
});
