/** What models are given that cannot work: errors that name the layer, say what came, and how to mend it. */
import {
  Add,
  AveragePooling1D,
  Bidirectional,
  Conv1D,
  Conv2D,
  Conv2DTranspose,
  Dense,
  DepthwiseConv2D,
  FileError,
  GRU,
  GlobalMaxPooling2D,
  Input,
  LSTM,
  Layer,
  MaxPooling2D,
  Model,
  SeparableConv2D,
  Sequential,
  UnknownNameError,
  UpSampling2D,
  loadModel,
  type SymbolicTensor,
} from '@tapegrad/layers';
import type { Variable } from '@tapegrad/autograd';
import { ShapeError, ValueError, zeros } from '@tapegrad/tensor';
import { messageOf, thrownBy } from '../support/errors.js';

const name = 'edges';
const inputShape = [4, 4, 1];

describe('a window larger than its input', () => {
  const message =
    "edges: a window of 5 does not fit into an axis of 4; take a smaller window or padding 'same'.";

  test.each<[string, () => unknown]>([
    [
      'Conv2D, when the model is made',
      () => new Sequential([new Conv2D(1, 5, { inputShape, name })]),
    ],
    [
      'Conv2D, when the functional model is made',
      () => new Conv2D(1, 5, { name }).apply(Input({ shape: inputShape })),
    ],
    ['Conv1D', () => new Conv1D(1, 5, { name }).apply(zeros([1, 4, 1]))],
    ['DepthwiseConv2D', () => new DepthwiseConv2D(5, { name }).apply(zeros([1, 4, 4, 1]))],
    ['SeparableConv2D', () => new SeparableConv2D(1, 5, { name }).apply(zeros([1, 4, 4, 1]))],
    ['MaxPooling2D', () => new MaxPooling2D(5, { name }).apply(zeros([1, 4, 4, 1]))],
    ['AveragePooling1D', () => new AveragePooling1D(5, { name }).apply(zeros([1, 4, 1]))],
  ])('%s', (_, call) => {
    expect(messageOf(ShapeError, call)).toBe(message);
  });

  test('a smaller image after a larger one', () => {
    const layer = new Conv2D(1, 5, { name });
    layer.apply(zeros([1, 8, 8, 1]));
    expect(messageOf(ShapeError, () => layer.apply(zeros([1, 8, 4, 1])))).toBe(message);
  });
});

describe('strides', () => {
  test.each<[string, () => unknown, string]>([
    [
      '0 of Conv2D',
      () => new Conv2D(1, 3, { strides: 0, name }),
      ', or 2 of them, of 1 or more; got 0.',
    ],
    [
      '0 of one axis',
      () => new Conv2D(1, 3, { strides: [1, 0], name }),
      ', or 2 of them, of 1 or more; got [1, 0].',
    ],
    ['0 of Conv1D', () => new Conv1D(1, 3, { strides: 0, name }), ' of 1 or more; got 0.'],
    [
      '0 of Conv2DTranspose',
      () => new Conv2DTranspose(1, 3, { strides: 0, name }),
      ', or 2 of them, of 1 or more; got 0.',
    ],
    [
      '0 of MaxPooling2D',
      () => new MaxPooling2D(2, { strides: 0, name }),
      ', or 2 of them, of 1 or more; got 0.',
    ],
    [
      'a half of AveragePooling1D',
      () => new AveragePooling1D(2, { strides: 0.5, name }),
      ' of 1 or more; got 0.5.',
    ],
  ])('%s', (_, make, rest) => {
    expect(messageOf(ValueError, make)).toBe(`edges: strides must be a whole number${rest}`);
  });
});

describe('data formats', () => {
  const dataFormat = 'channels_last' as 'channelsLast';

  test.each<[string, () => unknown]>([
    ['Conv2D', () => new Conv2D(1, 3, { dataFormat, name })],
    ['MaxPooling2D', () => new MaxPooling2D(2, { dataFormat, name })],
    ['GlobalMaxPooling2D', () => new GlobalMaxPooling2D({ dataFormat, name })],
    ['UpSampling2D', () => new UpSampling2D(2, { dataFormat, name })],
  ])('an unknown one of %s', (_, make) => {
    expect(messageOf(ValueError, make)).toBe(
      `edges: dataFormat is 'channelsLast' or 'channelsFirst'; got "channels_last".`,
    );
  });

  test('images of the other one', () => {
    const model = new Sequential([new Conv2D(1, 3, { inputShape: [28, 28, 1], name })]);
    expect(messageOf(ShapeError, () => model.predict(zeros([2, 1, 28, 28])))).toBe(
      "edges: was built for 1 channels; got inputs [2, 1, 28, 28] with 28 (dataFormat 'channelsLast').",
    );
  });
});

describe('a stateful model given another batch size', () => {
  const batchInputShape = [4, 3, 1];
  const message = (batch: number): string =>
    `memory: is stateful and keeps the states of 4 samples; got a batch of ${batch}.`;

  test('alone, and in Bidirectional', () => {
    const layer = new LSTM(2, { stateful: true, batchInputShape, name: 'memory' });
    const model = new Sequential([layer]);
    expect(messageOf(ShapeError, () => model.predict(zeros([3, 3, 1])))).toContain(message(3));
    const gru = new GRU(2, { stateful: true, batchInputShape, name: 'memory' });
    const both = new Bidirectional(gru);
    expect(messageOf(ShapeError, () => both.apply(zeros([3, 3, 1])))).toContain(message(3));
  });

  test('as the short last batch of an epoch', async () => {
    const layer = new LSTM(2, { stateful: true, batchInputShape, name: 'memory' });
    const model = new Sequential([layer]);
    model.compile({ loss: 'mse' });
    const fit = model.fit(zeros([10, 3, 1]), zeros([10, 2]), { batchSize: 4, verbose: 0 });
    await expect(fit).rejects.toThrow(message(2));
  });
});

describe('a graph', () => {
  const [a, b] = ['a', 'b'].map((title) => Input({ shape: [2], name: title }));
  const head = new Dense(1, { name: 'head' }).apply(a);
  const sum = new Add({ name: 'sum' }).apply([head, new Dense(1, { name: 'side' }).apply(b)]);
  const values = zeros([2, 1]) as object as SymbolicTensor;

  test.each<[string, () => unknown, string]>([
    [
      'of another input',
      () => new Model({ inputs: b, outputs: head, name: 'm' }),
      "m: the layer 'head' needs 'a' [?, 2], which is not among the model's inputs ('b'); add it to them.",
    ],
    [
      'with one of two inputs missing',
      () => new Model({ inputs: [a], outputs: [head, sum], name: 'm' }),
      "m: the layer 'side' needs 'b' [?, 2], which is not among the model's inputs ('a'); add it to them.",
    ],
    [
      'that gives out an input that it does not have',
      () => new Model({ inputs: [a], outputs: [head, b], name: 'm' }),
      "m: an output is 'b' [?, 2], which is not among the model's inputs ('a'); add it to them.",
    ],
    [
      'with an input that nothing needs',
      () => new Model({ inputs: [a, b], outputs: head, name: 'm' }),
      "m: no output depends on the input 'b'; connect it or leave it out.",
    ],
    [
      'of values',
      () => new Model({ inputs: a, outputs: values, name: 'm' }),
      'm: outputs must be symbolic tensors: what Input({ shape }) gives, and what layer.apply makes of it. Values, layers ' +
        'and names are none.',
    ],
    [
      'without outputs',
      () => new Model({ inputs: a, outputs: [], name: 'm' }),
      'm: a model needs at least one input and one output.',
    ],
  ])('%s', (_, make, message) => {
    expect(messageOf(ValueError, make)).toBe(message);
  });
});

test('saved weights of another shape', () => {
  const make = (units: number): Sequential =>
    new Sequential([
      new Dense(2, { inputShape: [2], name: 'hidden' }),
      new Dense(units, { name: 'head' }),
    ]);
  const model = make(4);
  const before = model.getWeights().map((w) => w.toArray());
  const load = (): void =>
    model.loadWeightsFromBytes(make(3).weightsToBytes(), { name: 'w.safetensors' });
  expect(messageOf(ShapeError, load)).toBe(
    "w.safetensors: weight 'kernel' of layer 'head' has shape [2, 4] in the model and [2, 3] in the file; nothing was changed.",
  );
  expect(model.getWeights().map((w) => w.toArray())).toEqual(before);
});

test('an option of an unknown name is an error too', () => {
  const make = (): unknown => new UpSampling2D(2, { name, interpolation: 'cubic' as 'nearest' });
  expect(thrownBy(make)).toBeInstanceOf(UnknownNameError);
});

/** What JavaScript lets pass, and the types would not. */
const loosely = (f: (...args: never[]) => unknown, ...args: unknown[]): unknown =>
  Reflect.apply(f, null, args);
const made = (Class: abstract new (...args: never[]) => unknown, ...args: unknown[]): unknown =>
  Reflect.construct(Class, args);

describe('functions of users that return something else than a Variable', () => {
  class Doubled extends Layer {
    constructor(private readonly f: (x: Variable) => unknown) {
      super({ name: 'doubled', inputShape: [2] });
    }
    override call(x: Variable): Variable {
      return this.f(x) as Variable;
    }
  }

  test.each<[string, (x: Variable) => unknown, string]>([
    ['nothing', () => undefined, 'undefined. Is there a return missing?'],
    ['a tensor', (x) => x.value, 'a Tensor.'],
    ['numbers', () => [[1, 2]], '[[1, 2]].'],
  ])('a layer: %s', (_, f, got) => {
    const message = `doubled: call must return a Variable; got ${got}`;
    expect(messageOf(ValueError, () => new Doubled(f).apply([[1, 2]]))).toBe(message);
    expect(messageOf(ValueError, () => new Sequential([new Doubled(f)]))).toBe(message);
  });

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'undefined. Is there a return missing?'],
    ['a number', 5, '5.'],
  ])('a loss, and a metric: %s', (_, value, got) => {
    const model = new Sequential([new Dense(1, { inputShape: [2] })]);
    model.compile({ optimizer: 'sgd', loss: () => value as Variable });
    expect(messageOf(ValueError, () => model.trainOnBatch([[1, 2]], [[1]]))).toMatch(
      new RegExp(
        `: a loss must return a Variable, computed by ops; got ${got.replace('?', '\\?')}$`,
      ),
    );
    model.compile({ optimizer: 'sgd', loss: 'mse', metrics: [() => value as Variable] });
    expect(messageOf(ValueError, () => model.trainOnBatch([[1, 2]], [[1]]))).toMatch(
      new RegExp(
        `: a metric must return a Variable, computed by ops; got ${got.replace('?', '\\?')}$`,
      ),
    );
  });
});

describe('lists and objects that are none', () => {
  test.each<[string, () => unknown, string]>([
    [
      'layers',
      () => made(Sequential, new Dense(2), { name: 's' }),
      's: takes a list of layers, as in new Sequential([new Dense(10)]); got a Dense.',
    ],
    [
      'weights',
      () => loosely(Dense.prototype.setWeights.bind(new Dense(2, { name: 'd' }))),
      'd: setWeights takes a list of tensors, as getWeights gives; got undefined.',
    ],
    [
      'a window',
      () => made(Conv2D, 3, undefined, { name: 'c' }),
      'c: kernelSize must be a whole number, or 2 of them, of 1 or more; got undefined.',
    ],
    [
      'a window in quotes',
      () => made(MaxPooling2D, '2', { name: 'p' }),
      "p: poolSize must be a whole number, or 2 of them, of 1 or more; got '2'.",
    ],
    [
      'an input without options',
      () => loosely(Input),
      'Input: options are an object, as in { shape: … }; got undefined.',
    ],
    [
      'an input as in other libraries',
      () => loosely(Input, [784]),
      'Input: options are an object, as in { shape: … }; got [784].',
    ],
    [
      "an input's shape",
      () => loosely(Input, { shape: 784 }),
      'Input: shape is a list of whole sizes, such as [784] (without the batch); got 784.',
    ],
    [
      'a model',
      () => made(Model),
      'Model: options are an object, as in { inputs: … }; got undefined.',
    ],
  ])('%s', (_, call, message) => {
    expect(messageOf(ValueError, call)).toBe(message);
  });

  test('misspelt options of inputs and models', () => {
    const x = Input({ shape: [2] });
    expect(messageOf(UnknownNameError, () => loosely(Input, { shap: [2] }))).toMatch(
      /^Unknown option of Input 'shap'. Did you mean 'shape'\?/,
    );
    expect(messageOf(UnknownNameError, () => made(Model, { input: x, outputs: x }))).toMatch(
      /^Unknown option of Model 'input'. Did you mean 'inputs'\?/,
    );
  });

  test('callbacks', async () => {
    const model = new Sequential([new Dense(1, { inputShape: [1] })], { name: 'm' });
    model.compile({ optimizer: 'sgd', loss: 'mse' });
    const callbacks: unknown = { onEpochEnd: () => 0 };
    const run = model.fit([[1]], [[1]], { callbacks: callbacks as [] });
    await expect(run).rejects.toThrow(
      new ValueError('m.fit: callbacks are a list; got an object. Put it in brackets.'),
    );
  });

  test('paths', async () => {
    const model = new Sequential([new Dense(1, { inputShape: [1] })]);
    const message = "the path of a file is needed, such as 'model.safetensors'; got undefined.";
    await expect(loosely(model.save.bind(model))).rejects.toThrow(new FileError(message));
    await expect(loosely(loadModel)).rejects.toThrow(new FileError(message));
  });
});

test('one sample without an axis for the batch', () => {
  const model = new Sequential([new Dense(3, { name: 'd', inputShape: [2] })]);
  expect(messageOf(ShapeError, () => model.predict([1, 2]))).toBe(
    'd: was built for inputs [batch, …, 2]; got [2]. Samples lie along the first axis: [[1, 2]] is one of two features, and ' +
      'x.reshape([-1, 1]) makes samples of one.',
  );
});
