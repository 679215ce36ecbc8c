/** What a layer is given as options is known to it, or an error: nothing that is misspelt is ignored. */
import {
  Activation,
  Adam,
  BatchNormalization,
  Bidirectional,
  Concatenate,
  Conv2D,
  Dense,
  Dropout,
  EarlyStopping,
  Embedding,
  Flatten,
  GRU,
  LSTM,
  LSTMCell,
  Layer,
  MaxPooling2D,
  SimpleRNN,
  TimeDistributed,
  UnknownNameError,
  schedules,
  type LayerOptions,
} from '@tapegrad/layers';
import type { Variable } from '@tapegrad/autograd';
import { ValueError, zeros } from '@tapegrad/tensor';
import { messageOf } from '../support/errors.js';

/** A class as JavaScript sees it, where any arguments will do. */
const make = (Class: abstract new (...args: never[]) => unknown, ...args: unknown[]): unknown =>
  Reflect.construct(Class, args);

describe('an option that the layer does not know', () => {
  test.each<[string, () => unknown, string]>([
    [
      'Dense',
      () => make(Dense, 3, { activaton: 'relu' }),
      "'activaton'. Did you mean 'activation'?",
    ],
    [
      'LSTM, by the name that it has in Python',
      () => make(LSTM, 3, { return_sequences: true }),
      "'return_sequences'. Did you mean 'returnSequences'?",
    ],
    ['SimpleRNN', () => make(SimpleRNN, 3, { resetAfter: true }), "'resetAfter'."],
    ['LSTMCell', () => make(LSTMCell, 3, { stateful: true }), "'stateful'."],
    ['Conv2D', () => make(Conv2D, 3, 3, { stride: 2 }), "'stride'. Did you mean 'strides'?"],
    ['MaxPooling2D', () => make(MaxPooling2D, 2, { poolSize: 3 }), "'poolSize'."],
    ['Flatten', () => make(Flatten, { inputDim: 3 }), "'inputDim'."],
    [
      'Embedding',
      () => make(Embedding, 9, 2, { mask_zero: true }),
      "'mask_zero'. Did you mean 'maskZero'?",
    ],
    ['BatchNormalization', () => make(BatchNormalization, { eps: 1 }), "'eps'."],
    ['Concatenate', () => make(Concatenate, { axes: 1 }), "'axes'. Did you mean 'axis'?"],
    [
      'Bidirectional',
      () => make(Bidirectional, new GRU(2), { merge_mode: 'sum' }),
      "'merge_mode'. Did you mean 'mergeMode'?",
    ],
    ['TimeDistributed', () => make(TimeDistributed, new Dense(2), { units: 2 }), "'units'."],
  ])('%s', (name, call, message) => {
    const text = messageOf(UnknownNameError, call);
    expect(text).toContain(`Unknown option of ${name.split(',')[0]} ${message}`);
    expect(text).toContain("'batchInputShape'");
  });

  test('classes of users have what options they like, those of the library extended too', () => {
    class Scaled extends Dense {
      constructor(readonly own: { scale: number } & LayerOptions) {
        super(1, own);
      }
    }
    class Mine extends Layer {
      constructor(readonly own: { scale: number } & LayerOptions) {
        super(own);
      }
      override call(x: Variable): Variable {
        return x.mul(this.own.scale);
      }
    }
    expect(new Scaled({ scale: 3, inputShape: [2] }).own.scale).toBe(3);
    expect(new Mine({ scale: 3 }).apply([1, 2]).toArray()).toEqual([3, 6]);
  });
});

describe('options that are no object', () => {
  test.each<[string, () => unknown, string]>([
    [
      'of a layer',
      () => make(Dense, 3, 'relu'),
      "Dense: options are an object, as in { activation: … }; got 'relu'.",
    ],
    [
      'of a layer without options of its own',
      () => make(Activation, 'relu', null),
      'Activation: options are an object, as in { name: … }; got null.',
    ],
    [
      'of an optimizer',
      () => make(Adam, 0.1),
      'adam: options are an object, as in { learningRate: … }; got 0.1.',
    ],
    [
      'of a callback',
      () => make(EarlyStopping, 5),
      'EarlyStopping: options are an object, as in { monitor: … }; got 5.',
    ],
  ])('%s', (_, call, message) => {
    expect(messageOf(ValueError, call)).toBe(message);
  });
});

test.each<[string, unknown, string]>([
  ['a number', 784, '784'],
  ['strings', ['28', '28'], "['28', '28']"],
  ['a size below 0', [-1], '[-1]'],
  ['no list', { height: 28 }, 'an object'],
])('inputShape: %s', (_, inputShape, got) => {
  expect(messageOf(ValueError, () => make(Dense, 3, { name: 'd', inputShape }))).toBe(
    `d: inputShape is a list of whole sizes, such as [784] (without the batch); got ${got}.`,
  );
  expect(
    messageOf(ValueError, () => make(Dense, 3, { name: 'd', batchInputShape: inputShape })),
  ).toBe(`d: batchInputShape is a list of whole sizes, such as [null, 784]; got ${got}.`);
});

test('a name is a string, and trainable is true or false', () => {
  expect(messageOf(ValueError, () => make(Dense, 3, { name: 5 }))).toBe(
    'Dense: name is a string; got 5.',
  );
  expect(messageOf(ValueError, () => make(Dense, 3, { name: 'd', trainable: 'no' }))).toBe(
    "d: trainable is true or false; got 'no'.",
  );
});

test('a size that is not known is null', () => {
  const layer = make(LSTM, 3, { inputShape: [null, 2] });
  expect(layer).toBeInstanceOf(LSTM);
  if (layer instanceof LSTM) expect(layer.apply(zeros([1, 5, 2])).shape).toEqual([1, 3]);
});

describe('a string in the place of a number is shown as one', () => {
  test.each<[string, () => unknown, string]>([
    [
      'a count',
      () => make(Dense, '3', { name: 'd' }),
      "d: units must be a whole number of 1 or more; got '3'.",
    ],
    [
      'a rate',
      () => make(Dropout, '0.5', { name: 'd' }),
      "d: rate is the share of elements to drop, from 0 up to but without 1; got '0.5'.",
    ],
    [
      'a learning rate',
      () => make(Adam, { learningRate: '0.1' }),
      "adam: learningRate must be a number of 0 or more; got '0.1'.",
    ],
    [
      'a moving mean',
      () => make(Adam, { beta1: '0.9' }),
      "adam: beta1 must be from 0 up to but without 1; got '0.9'.",
    ],
    [
      'a schedule',
      (): unknown =>
        Reflect.apply(schedules.exponentialDecay, null, [
          { initialLearningRate: '0.1', decaySteps: 5, decayRate: 0.5 },
        ]),
      "exponentialDecay: initialLearningRate must be a number of 0 or more; got '0.1'.",
    ],
  ])('%s', (_, call, message) => {
    expect(messageOf(ValueError, call)).toBe(message);
  });
});
