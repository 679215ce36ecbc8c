/**
 * jax-js on its `wasm` backend. It has no layers: models and optimizers are functions here, each step one `jit`. Every function
 * uses up its arguments; `.ref` keeps one for another use.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  defaultDevice,
  init,
  jit,
  lax,
  nn,
  numpy as np,
  random,
  tree,
  valueAndGrad,
  vjp,
} from '@jax-js/jax';
import {
  batchOf,
  batchShapes,
  convolutionData,
  draw,
  energy,
  lstmData,
  uniform,
} from '../numbers.js';
import type { Work } from '../protocol.js';
import type {
  ConvolutionTask,
  InitialiseTask,
  LSTMTask,
  LineTask,
  MatMulTask,
  OptimizerSpec,
  TrainingTask,
} from '../tasks.js';
import { serve } from '../worker.js';

type Arrays = np.Array[];

const made = (values: Float32Array, shape: readonly number[]): np.Array =>
  np.array(values as Float32Array<ArrayBuffer>).reshape([...shape]);

/** Convolutions want their kernels as [filters, channels, height, width]. */
const weightsOf = ({ weights }: TrainingTask | LSTMTask): Arrays =>
  weights.map((spec) => {
    const array = made(draw(spec), spec.shape);
    return spec.shape.length === 4 ? array.transpose([3, 2, 0, 1]) : array;
  });

const convolve = (x: np.Array, kernel: np.Array): np.Array =>
  lax.convGeneralDilated(x, kernel, [1, 1], 'SAME');

/** Step t of x [batch, time, ...]. */
const stepOf = (x: np.Array, t: number): np.Array => x.slice([], t);

/** All steps of an LSTM; `states` are h and c. The last ones come out behind the sequence. */
function lstmSequence(
  x: np.Array,
  [kernel, recurrent, bias]: Arrays,
  states: Arrays,
): { sequence: np.Array; states: Arrays } {
  const [, time] = x.shape;
  const projected = np.matmul(x, kernel).add(bias);
  let [h, c] = states;
  const outputs: Arrays = [];
  for (let t = 0; t < time; t++) {
    const z = stepOf(projected.ref, t).add(np.matmul(h, recurrent.ref));
    const [i, f, g, o] = np.split(z, 4, 1);
    c = nn
      .sigmoid(f)
      .mul(c)
      .add(nn.sigmoid(i).mul(np.tanh(g)));
    h = nn.sigmoid(o).mul(np.tanh(c.ref));
    outputs.push(h.ref);
  }
  projected.dispose();
  recurrent.dispose();
  return { sequence: np.stack(outputs, 1), states: [h, c] };
}

/** The last state of a simple recurrent network. */
function lastState(x: np.Array, [kernel, recurrent, bias]: Arrays): np.Array {
  const [batch, time] = x.shape;
  const projected = np.matmul(x, kernel).add(bias);
  let h = np.zeros([batch, recurrent.shape[0]]);
  for (let t = 0; t < time; t++) {
    h = np.tanh(stepOf(projected.ref, t).add(np.matmul(h, recurrent.ref)));
  }
  projected.dispose();
  recurrent.dispose();
  return h;
}

/** The maximum of each 2 x 2 square of x [batch, channels, height, width]. */
function pool(x: np.Array): np.Array {
  const [batch, channels, height, width] = x.shape;
  return x.reshape([batch, channels, height / 2, 2, width / 2, 2]).max([3, 5]);
}

/** What the model gives, a last softmax left out; and the states that an LSTM leaves. */
function forward(
  task: TrainingTask,
  weights: Arrays,
  x: np.Array,
  states: Arrays,
): { output: np.Array; states: Arrays } {
  let output = x;
  let left = states;
  let next = 0;
  const take = (count: number): Arrays => weights.slice(next, (next += count));
  for (const layer of task.layers) {
    switch (layer.kind) {
      case 'dense':
      case 'timeDense': {
        const [kernel, bias] = take(2);
        output = np.matmul(output, kernel).add(bias);
        break;
      }
      case 'activation':
        if (layer.activation === 'relu') output = nn.relu(output);
        if (layer.activation === 'tanh') output = np.tanh(output);
        break;
      case 'conv': {
        const [kernel, bias] = take(2);
        output = convolve(output, kernel).add(bias.reshape([layer.filters, 1, 1]));
        break;
      }
      case 'pool':
        output = pool(output);
        break;
      case 'flatten':
        output = output.reshape([task.batch, -1]);
        break;
      case 'simpleRNN':
        output = lastState(output, take(3));
        break;
      case 'lstm': {
        const { sequence, states: last } = lstmSequence(output, take(3), left);
        output = sequence;
        left = last;
        break;
      }
    }
  }
  return { output, states: left };
}

/** The mean loss, and beside it the share of right answers (0 without classes) and the states. */
function cost(
  task: TrainingTask,
): (weights: Arrays, x: np.Array, y: np.Array, states: Arrays) => [np.Array, Arrays] {
  return (weights, x, y, before) => {
    const { output, states } = forward(task, weights, x, before);
    if (task.target !== 'classes') {
      return [np.square(output.sub(y)).mean(), [np.array(0), ...states]];
    }
    const guess = np.argmax(output.ref, 1);
    const right = guess.equal(np.argmax(y.ref, 1)).astype(np.float32).mean();
    const loss = nn.logSoftmax(output, 1).mul(y).sum(1).mean().mul(-1);
    return [loss, [lax.stopGradient(right), ...states]];
  };
}

/** How many arrays an optimizer keeps for each weight. */
const SLOTS = { sgd: 0, rmsprop: 1, adam: 2 } as const;

/** A weight and its slots after one update. `rate` is Adam's with the correction of its step. */
function updated(
  spec: OptimizerSpec,
  rate: np.Array,
  weight: np.Array,
  gradient: np.Array,
  slots: Arrays,
): Arrays {
  switch (spec.kind) {
    case 'sgd':
      return [weight.sub(gradient.mul(rate))];
    case 'rmsprop': {
      const v = slots[0].mul(spec.rho).add(np.square(gradient.ref).mul(1 - spec.rho));
      const step = gradient.mul(rate).div(np.sqrt(v.ref.add(spec.epsilon)));
      return [weight.sub(step), v];
    }
    case 'adam': {
      const m = slots[0].mul(0.9).add(gradient.ref.mul(0.1));
      const v = slots[1].mul(0.999).add(np.square(gradient).mul(0.001));
      const step = m.ref.mul(rate).div(np.sqrt(v.ref).add(spec.epsilon));
      return [weight.sub(step), m, v];
    }
  }
}

function rateOf(spec: OptimizerSpec, step: number): number {
  if (spec.kind !== 'adam') return spec.learningRate;
  return (spec.learningRate * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step);
}

function training(task: TrainingTask): () => Work {
  const shapes = batchShapes(task);
  const batches = Array.from({ length: task.batches }, (_, i) => {
    const { x, y } = batchOf(task, i);
    return { x: made(x, shapes.x), y: made(y, shapes.y) };
  });
  const slotCount = SLOTS[task.optimizer.kind];
  const value = valueAndGrad(cost(task), { hasAux: true });
  const step = jit(
    (
      weights: Arrays,
      slots: Arrays[],
      states: Arrays,
      rate: np.Array,
      x: np.Array,
      y: np.Array,
    ) => {
      const [[loss, [right, ...left]], gradients] = value(tree.ref(weights), x, y, states);
      const all = weights.map((weight, i) =>
        updated(task.optimizer, rate.ref, weight, gradients[i], slots[i]),
      );
      rate.dispose();
      return {
        weights: all.map(([weight]) => weight),
        slots: all.map(([, ...rest]) => rest),
        states: left,
        loss,
        right,
      };
    },
  );
  const lstms = task.layers.flatMap((layer) => (layer.kind === 'lstm' ? [layer.units] : []));
  return () => {
    let weights = weightsOf(task);
    let slots = weights.map(({ shape }) =>
      Array.from({ length: slotCount }, () => np.zeros(shape)),
    );
    let states = lstms.flatMap((units) => [1, 2].map(() => np.zeros([task.batch, units])));
    let count = 0;
    let loss = NaN;
    return {
      step() {
        const { x, y } = batches[count % batches.length];
        const rate = np.array(rateOf(task.optimizer, ++count), { dtype: np.float32 });
        const after = step(weights, slots, states, rate, x.ref, y.ref);
        ({ weights, slots, states } = after);
        [loss] = after.loss.dataSync();
        after.right.dataSync();
      },
      result: () => loss,
      end: () => tree.dispose([weights, slots, states]),
    };
  };
}

function line({ batch, learningRate }: LineTask): () => Work {
  const values = uniform(0, batch, -1, 1);
  const x = made(values, [batch, 1]);
  const y = made(
    values.map((v) => 0.5 * v + 2),
    [batch, 1],
  );
  const value = valueAndGrad(
    (w: np.Array, b: np.Array, inputs: np.Array, targets: np.Array) =>
      np.square(np.matmul(inputs, w).add(b).sub(targets)).mean(),
    { argnums: [0, 1] },
  );
  const step = jit((w: np.Array, b: np.Array, inputs: np.Array, targets: np.Array) => {
    const [loss, [dw, db]] = value(w.ref, b.ref, inputs, targets);
    return { loss, w: w.sub(dw.mul(learningRate)), b: b.sub(db.mul(learningRate)) };
  });
  return () => {
    let [w, b] = [made(Float32Array.of(0.1), [1, 1]), made(Float32Array.of(0), [1])];
    let last = NaN;
    return {
      step() {
        const after = step(w, b, x.ref, y.ref);
        ({ w, b } = after);
        [last] = after.loss.dataSync();
      },
      result: () => last,
      end: () => tree.dispose([w, b]),
    };
  };
}

/** Runs a function of nothing again and again, and waits for its results, which are lazy otherwise. */
function repeated(compute: () => Arrays, check: (results: ArrayLike<number>[]) => number): Work {
  let results: Arrays = [];
  return {
    async step() {
      tree.dispose(results);
      results = compute();
      for (const array of results) await array.blockUntilReady();
    },
    result: () => check(results.map((array) => array.ref.dataSync())),
    end: () => tree.dispose(results),
  };
}

function matmul({ size }: MatMulTask): () => Work {
  const [a, b] = [0, 1].map((stream) => made(uniform(stream, size * size, -1, 1), [size, size]));
  return () =>
    repeated(
      () => [np.matmul(a.ref, b.ref)],
      ([c]) => c[size * size - 1],
    );
}

function convolution(task: ConvolutionTask): () => Work {
  const data = convolutionData(task);
  const x = made(data.x.values, data.x.shape);
  const kernel = made(data.kernel.values, data.kernel.shape).transpose([3, 2, 0, 1]);
  const dy = made(data.dy.values, data.dy.shape);
  const compute = jit((a: np.Array, k: np.Array, cotangent: np.Array) => {
    const [y, back] = vjp(convolve, [a, k]);
    const [dx, dk] = back(cotangent) as Arrays;
    back.dispose();
    return [y, dx, dk];
  });
  return () =>
    repeated(
      () => compute(x.ref, kernel.ref, dy.ref),
      (results) => energy(...results),
    );
}

function lstm(task: LSTMTask): () => Work {
  const data = lstmData(task);
  const [x, dh] = [data.x, data.dh].map(({ values, shape }) => made(values, shape));
  const sum = (weights: Arrays, inputs: np.Array, cotangent: np.Array): np.Array => {
    const zeros = [1, 2].map(() => np.zeros([task.batch, task.units]));
    const { sequence, states } = lstmSequence(inputs, weights, zeros);
    tree.dispose(states);
    return sequence.mul(cotangent).sum();
  };
  const compute = jit((weights: Arrays, inputs: np.Array, cotangent: np.Array) => {
    const [value, gradients] = valueAndGrad(sum)(weights, inputs, cotangent);
    value.dispose();
    return gradients;
  });
  const weights = weightsOf(task);
  return () =>
    repeated(
      () => compute(tree.ref(weights), x.ref, dh.ref),
      (results) => energy(...results),
    );
}

function initialise({ inputs, units }: InitialiseTask): () => Work {
  const limit = Math.sqrt(6 / (inputs + units));
  const draws = jit((key: np.Array) =>
    random.uniform(key, [inputs, units], { minval: -limit, maxval: limit }),
  );
  let seed = 0;
  return () => ({
    ...repeated(
      () => [draws(random.key(seed++))],
      () => 0,
    ),
    result: () => null,
  });
}

/** The package's exports leave its package.json out. */
function version(): string {
  const main = createRequire(import.meta.url).resolve('@jax-js/jax');
  const file = readFileSync(join(dirname(main), '../package.json'), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

// In Node it has one thread: its workers are those of browsers.
await init('wasm');
defaultDevice('wasm');
await serve({ 'jax-js': version() }, { training, line, matmul, convolution, lstm, initialise });
