/** Models run as programs are never stale: whatever is changed between two steps, the next one knows. */
import {
  Generator,
  defaultGenerator,
  getBackend,
  ops,
  setBackend,
  setSeed,
  type Tensor,
} from '@tapegrad/tensor';
import {
  Activation,
  Adam,
  BatchNormalization,
  Dense,
  Dropout,
  Sequential,
  modelFromBytes,
  type BaseModel,
} from '@tapegrad/layers';
import { assertNumbersClose } from '../support/close.js';
import { CLOSE, bothWays, random, type Note } from '../support/both-ways.js';

afterEach(() => setBackend('auto'));

const random20 = random(20, 6);
const wide20 = random(20, 3);

type Story = (model: Sequential, note: Note) => void | Promise<void>;

/** A small model, trained a little so that its programs are there. */
function trained(runEagerly: boolean): Sequential {
  const model = new Sequential([
    new Dense(5, { activation: 'tanh', inputShape: [6], name: 'first' }),
    new Dropout(0.25, { name: 'drop' }),
    new Dense(3, { name: 'last' }),
  ]);
  model.compile({ optimizer: new Adam({ learningRate: 0.05 }), loss: 'mse', runEagerly });
  for (let i = 0; i < 2; i++) model.trainOnBatch(random20, wide20);
  model.testOnBatch(random20, wide20);
  model.predict(random20);
  return model;
}

const all = (model: BaseModel): [Record<string, number>, Record<string, number>, Tensor] => [
  model.trainOnBatch(random20, wide20),
  model.testOnBatch(random20, wide20),
  model.predict(random20),
];

describe('never stale', () => {
  const changes: Record<string, Story> = {
    'a layer is frozen, and freed': (model, note) => {
      model.layers[0].trainable = false;
      note(...all(model));
      model.layers[0].trainable = true;
      note(...all(model));
      model.trainable = false;
      note(...all(model));
    },
    'a layer with weights is added': (model, note) => {
      model.add(new Dense(3));
      note(...all(model));
    },
    'a layer without weights is added': (model, note) => {
      model.add(new Activation('sigmoid'));
      note(...all(model));
    },
    'weights are set': (model, note) => {
      model.setWeights(model.getWeights().map((w) => w.mul(0.5)));
      note(...all(model));
      model.layers[0].weights[0].assign(model.layers[0].weights[0].value.mul(-1));
      note(...all(model));
    },
    'weights are loaded': (model, note) => {
      const bytes = model.weightsToBytes();
      note(...all(model));
      model.loadWeightsFromBytes(bytes);
      note(...all(model));
    },
    'the model is saved and loaded, and both go on': (model, note) => {
      const bytes = model.toBytes();
      note(...all(model));
      const again = modelFromBytes(bytes);
      note(...all(again), ...all(model));
    },
    'the optimizer is set back': (model, note) => {
      const weights = [...model.trainableWeights];
      const state = model.optimizer.state(weights);
      note(...all(model));
      model.optimizer.setState(weights, state);
      note(...all(model), model.optimizer.iterations);
    },
    'the learning rate is changed': (model, note) => {
      model.optimizer.learningRate = 0.5;
      note(...all(model));
      model.optimizer.learningRate = 0;
      note(...all(model));
    },
    'the seed is set, or the generator set back': (model, note) => {
      setSeed(99);
      note(...all(model));
      const state = defaultGenerator().getState();
      note(...all(model));
      defaultGenerator().setState(state);
      note(...all(model));
      defaultGenerator().setState(new Generator(5).getState());
      note(...all(model));
    },
    'it is compiled anew': (model, note) => {
      model.compile({ optimizer: 'sgd', loss: 'mae', runEagerly: getBackend() === 'js' });
      note(...all(model));
    },
    'batches have other sizes and dtypes': (model, note) => {
      for (const n of [20, 7, 1, 20]) {
        const x = random20.slice({ begin: [0, 0], size: [n, 6] });
        const y = wide20.slice({ begin: [0, 0], size: [n, 3] });
        note(model.trainOnBatch(x, y), model.predict(x));
        note(model.trainOnBatch(x, y.mul(10).cast('int32')), model.predict(x));
      }
    },
    'it is used eagerly between': (model, note) => {
      note(model.apply(random20, { training: true }).value, ...all(model));
      note(ops.sum(model.weights[0].value).item());
    },
  };
  test.each(Object.entries(changes))('when %s', (_, story) => bothWays(trained, story));

  test('when a layer that has nothing to train is frozen', () =>
    bothWays(
      (runEagerly) => {
        const model = new Sequential([
          new BatchNormalization({ scale: false, center: false, inputShape: [6] }),
          new Dense(3),
        ]);
        model.compile({ optimizer: 'sgd', loss: 'mse', runEagerly });
        return model;
      },
      (model, note) => {
        note(...all(model));
        model.layers[0].trainable = false;
        note(...all(model));
        model.layers[0].trainable = true;
        note(...all(model));
      },
    ));

  test('when a layer within a model within the model is changed', () => {
    let inner = new Sequential();
    return bothWays(
      (runEagerly) => {
        inner = new Sequential([new Dense(4, { inputShape: [6] })], { name: 'inner' });
        const model = new Sequential([inner, new Dense(3)]);
        model.compile({ optimizer: 'sgd', loss: 'mse', runEagerly });
        return model;
      },
      (model, note) => {
        note(...all(model));
        inner.add(new Activation('relu'));
        note(...all(model));
        inner.layers[0].trainable = false;
        note(...all(model));
      },
    );
  });

  test('when the kernels are changed', () => {
    const losses = (switching: boolean): number[] => {
      setBackend('wasm');
      setSeed(1);
      const model = trained(false);
      return Array.from({ length: 6 }, (_, i) => {
        if (switching) setBackend(i % 2 === 0 ? 'js' : 'wasm');
        return model.trainOnBatch(random20, wide20).loss;
      });
    };
    assertNumbersClose('losses', losses(true), losses(false), CLOSE);
  });
});
