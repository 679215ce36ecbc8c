import {
  DTypeError,
  ShapeError,
  ValueError,
  ops,
  tensor,
  type Shape,
  type Tensor,
} from '@tapegrad/tensor';
import { Variable, grad, variable } from '@tapegrad/autograd';
import {
  Adadelta,
  Adagrad,
  Adam,
  AdamW,
  Adamax,
  Ftrl,
  Nadam,
  RMSprop,
  SGD,
  schedules,
  type Optimizer,
  type OptimizerOptions,
} from '@tapegrad/layers';
import { Numbers } from '../support/numbers.js';

/** Every optimizer, with all its state in use. */
const makers: Record<string, (options?: OptimizerOptions) => Optimizer> = {
  sgd: (options) => new SGD({ momentum: 0.9, nesterov: true, ...options }),
  rmsprop: (options) => new RMSprop({ momentum: 0.5, centered: true, ...options }),
  adam: (options) => new Adam({ amsgrad: true, ...options }),
  adamw: (options) => new AdamW(options),
  adagrad: (options) => new Adagrad(options),
  adadelta: (options) => new Adadelta(options),
  adamax: (options) => new Adamax(options),
  nadam: (options) => new Nadam(options),
  ftrl: (options) => new Ftrl({ l1RegularizationStrength: 0.01, ...options }),
};
const all = Object.entries(makers);

function random(numbers: Numbers, shape: Shape): Tensor {
  const size = shape.reduce((n, s) => n * s, 1);
  return tensor(
    Float32Array.from({ length: size }, () => 2 * numbers.next() - 1),
    { shape },
  );
}

/** Two parameters, and gradients for any number of steps. */
function problem(seed: number) {
  const numbers = new Numbers(seed);
  const shapes = [[2, 3], [4]];
  const parameters = shapes.map((shape) => new Variable(random(numbers, shape), true));
  const gradients = Array.from({ length: 12 }, () => shapes.map((shape) => random(numbers, shape)));
  return { parameters, gradients };
}

function steps(
  optimizer: Optimizer,
  parameters: readonly Variable[],
  gradients: readonly (readonly Tensor[])[],
) {
  for (const step of gradients)
    optimizer.applyGradients(parameters.map((w, i) => [w, new Variable(step[i])] as const));
}

const values = (parameters: readonly Variable[]): unknown => parameters.map((w) => w.toArray());

describe.each(all)('%s', (name, make) => {
  test('has its name, a default learning rate, and counts its steps', () => {
    const optimizer = make();
    expect(optimizer.name).toBe(name);
    expect(optimizer.learningRate).toBe(name === 'sgd' ? 0.01 : 0.001);
    const { parameters, gradients } = problem(1);
    steps(optimizer, parameters, gradients);
    expect(optimizer.iterations).toBe(12);
  });

  test('goes down a bowl', () => {
    const w = variable([3, -2], 'float64');
    const height = (x: Variable): Variable => x.square().mul([1, 10]).sum();
    const optimizer = make({
      learningRate: name === 'adadelta' ? 100 : name === 'sgd' ? 0.01 : 0.1,
    });
    const before = height(w).item();
    for (let i = 0; i < 200; i++) optimizer.applyGradients([[w, grad(height)(w)]]);
    expect(height(w).item()).toBeLessThan(before / 10);
  });

  test('goes on from a saved state to the same bits, also after a trip through JSON', () => {
    const whole = problem(2);
    steps(make(), whole.parameters, whole.gradients);

    const half = problem(2);
    const first = make();
    steps(first, half.parameters, half.gradients.slice(0, 5));
    const state = first.state(half.parameters);
    const typed = state.slots.map((slots) =>
      Object.fromEntries(Object.entries(slots).map(([key, v]) => [key, Float32Array.from(v)])),
    );
    const { slots: _, ...plain } = state;
    const read = { ...(JSON.parse(JSON.stringify(plain)) as typeof plain), slots: typed };

    const copies = half.parameters.map((w) => new Variable(w.value.copy(), true));
    const second = make({ learningRate: 99 });
    second.setState(copies, read);
    expect(second.iterations).toBe(5);
    steps(second, copies, half.gradients.slice(5));
    expect(values(copies)).toEqual(values(whole.parameters));
    // The state was a copy: going on with the first optimizer gives the same too.
    steps(first, half.parameters, half.gradients.slice(5));
    expect(values(half.parameters)).toEqual(values(whole.parameters));
  });

  test('keeps the state of each parameter apart, whatever the order', () => {
    const one = problem(3);
    const other = problem(3);
    const [a, b] = [make(), make()];
    one.gradients.forEach((step, i) => {
      const pairs = (parameters: Variable[]) =>
        parameters.map((w, k) => [w, new Variable(step[k])] as const);
      a.applyGradients(pairs(one.parameters));
      b.applyGradients(i % 2 === 0 ? pairs(other.parameters) : pairs(other.parameters).reverse());
    });
    expect(values(other.parameters)).toEqual(values(one.parameters));
  });

  test('takes gradients that are views: broadcast, transposed, part of a larger tensor', () => {
    const g = [
      [1, 1],
      [1, 1],
      [1, 1],
    ];
    const views = [
      ops.broadcastTo(tensor([1]), [3, 2]),
      tensor([
        [1, 1, 1],
        [1, 1, 1],
      ]).transpose(),
      tensor([
        [9, 1, 1],
        [9, 1, 1],
        [9, 1, 1],
      ]).slice({ begin: [0, 1], size: [3, 2] }),
    ];
    const after = [tensor(g), ...views].map((gradient) => {
      const w = variable([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      const optimizer = make({ clipnorm: 1 });
      for (let i = 0; i < 3; i++) optimizer.applyGradients([[w, new Variable(gradient)]]);
      return w.toArray();
    });
    for (const found of after) expect(found).toEqual(after[0]);
  });

  test('weight decay takes its share off before the update', () => {
    const w = variable([2], 'float64');
    const reference = variable([2 - 0.5 * 0.1 * 2], 'float64');
    const g = variable([0.3], 'float64');
    make({ learningRate: 0.1, weightDecay: 0.5 }).applyGradients([[w, g]]);
    make({ learningRate: 0.1, weightDecay: 0 }).applyGradients([[reference, g]]);
    expect(w.item()).toBeCloseTo(reference.item(), 14);
  });
});

describe('the learning rate', () => {
  test('can be set while training, and is used from the next step on', () => {
    const w = variable([1], 'float64');
    const g = variable([1], 'float64');
    const optimizer = new SGD({ learningRate: 0.5 });
    optimizer.applyGradients([[w, g]]);
    optimizer.learningRate = 0.125;
    expect(optimizer.learningRate).toBe(0.125);
    optimizer.applyGradients([[w, g]]);
    expect(w.item()).toBe(0.375);
  });

  test('follows any function of the steps made', () => {
    const optimizer = new SGD({ learningRate: (step) => 1 / (step + 1) });
    const w = variable([0], 'float64');
    for (let i = 0; i < 3; i++) optimizer.applyGradients([[w, variable([1], 'float64')]]);
    expect(w.item()).toBe(-(1 + 1 / 2 + 1 / 3));
    expect(optimizer.learningRate).toBe(1 / 4);
  });

  test('cannot be set where a schedule sets it', () => {
    const learningRate = schedules.exponentialDecay({
      initialLearningRate: 1,
      decaySteps: 1,
      decayRate: 0.5,
    });
    const optimizer = new Adam({ learningRate });
    expect(() => (optimizer.learningRate = 0.1)).toThrow(ValueError);
    expect(() => (optimizer.learningRate = 0.1)).toThrow(
      'adam: the learning rate follows a schedule and cannot be set; make the optimizer with a number as learningRate to ' +
        'change it while training.',
    );
  });

  test('less the legacy decay is the effective one', () => {
    const optimizer = new SGD({ learningRate: 0.1, decay: 0.5 });
    const w = variable([0], 'float64');
    for (let i = 0; i < 2; i++) optimizer.applyGradients([[w, variable([1], 'float64')]]);
    expect(optimizer.learningRate).toBe(0.1);
    expect(optimizer.effectiveLearningRate).toBe(0.05);
    optimizer.learningRate = 0.4;
    expect(optimizer.effectiveLearningRate).toBe(0.2);
  });

  test.each([-0.1, NaN, Infinity])('%d is refused, also from a schedule', (rate) => {
    const message = `sgd: learningRate must be a number of 0 or more; got ${rate}.`;
    expect(() => new SGD({ learningRate: rate })).toThrow(message);
    const optimizer = new SGD();
    expect(() => (optimizer.learningRate = rate)).toThrow(message);
    const scheduled = new SGD({ learningRate: () => rate });
    expect(() => scheduled.applyGradients([])).toThrow(
      `sgd: the schedule gave a learning rate of ${rate} for step 0; it must be 0 or more.`,
    );
  });

  test('ftrl cannot do without', () => {
    const optimizer = new Ftrl({ learningRate: 0 });
    const w = variable([1]);
    expect(() => optimizer.applyGradients([[w, variable([1])]])).toThrow(
      'ftrl: the learning rate must be above 0; got 0.',
    );
    expect(w.item()).toBe(1);
  });
});

describe('clipping', () => {
  const step = (options: OptimizerOptions, ...gradients: number[][]): unknown => {
    const parameters = gradients.map((g) =>
      variable(
        g.map(() => 0),
        'float64',
      ),
    );
    const pairs = parameters.map((w, i) => [w, variable(gradients[i], 'float64')] as const);
    new SGD({ learningRate: 1, ...options }).applyGradients(pairs);
    return parameters.map((w) => (w.toArray() as number[]).map((v) => -v + 0));
  };

  test('clipnorm shortens each gradient by itself, and leaves shorter ones alone', () => {
    expect(step({ clipnorm: 1 }, [3, 4], [0.3, 0.4])).toEqual([
      [0.6000000000000001, 0.8],
      [0.3, 0.4],
    ]);
  });

  test('globalClipnorm shortens all by the same factor', () => {
    expect(step({ globalClipnorm: 2.5 }, [3, 0], [0, 4])).toEqual([
      [1.5, 0],
      [0, 2],
    ]);
    expect(step({ globalClipnorm: 5 }, [3, 0], [0, 4])).toEqual([
      [3, 0],
      [0, 4],
    ]);
  });

  test('globalClipnorm covers parameters of different dtypes', () => {
    const [a, b] = [variable([0], 'float32'), variable([0], 'float64')];
    const optimizer = new SGD({ learningRate: 1, globalClipnorm: 2.5 });
    optimizer.applyGradients([
      [a, variable([3], 'float32')],
      [b, variable([4], 'float64')],
    ]);
    expect([a.item(), b.item()]).toEqual([-1.5, -2]);
  });

  test('clipvalue cuts each element', () => {
    expect(step({ clipvalue: 0.5 }, [3, -4, 0.25])).toEqual([[0.5, -0.5, 0.25]]);
  });

  test('a gradient of zeros stays one', () => {
    expect(step({ clipnorm: 1 }, [0, 0])).toEqual([[0, 0]]);
    expect(step({ globalClipnorm: 1 }, [0, 0])).toEqual([[0, 0]]);
  });
});

describe('settings out of range are errors', () => {
  test.each([
    [() => new SGD({ momentum: 1.5 }), 'sgd: momentum must be from 0 to 1; got 1.5.'],
    [() => new RMSprop({ rho: 1 }), 'rmsprop: rho must be from 0 up to but without 1; got 1.'],
    [() => new Adam({ beta1: 1 }), 'adam: beta1 must be from 0 up to but without 1; got 1.'],
    [
      () => new AdamW({ beta2: -0.1 }),
      'adamw: beta2 must be from 0 up to but without 1; got -0.1.',
    ],
    [() => new Adamax({ epsilon: -1 }), 'adamax: epsilon must be a number of 0 or more; got -1.'],
    [
      () => new Adagrad({ initialAccumulatorValue: -1 }),
      'adagrad: initialAccumulatorValue must be a number of 0 or more; got -1.',
    ],
    [
      () => new Ftrl({ learningRatePower: 0.5 }),
      'ftrl: learningRatePower must be a number of 0 or less; got 0.5.',
    ],
    [
      () => new Ftrl({ l1RegularizationStrength: -1 }),
      'ftrl: l1RegularizationStrength must be a number of 0 or more; got -1.',
    ],
    [
      () => new SGD({ clipnorm: 1, clipvalue: 1 }),
      'sgd: give only one of clipnorm, globalClipnorm and clipvalue; got clipnorm, clipvalue.',
    ],
    [
      () => new SGD({ clipnorm: 1, globalClipnorm: 2, clipvalue: 1 }),
      'sgd: give only one of clipnorm, globalClipnorm and clipvalue; got clipnorm, globalClipnorm, clipvalue.',
    ],
    [() => new SGD({ globalClipnorm: 0 }), 'sgd: globalClipnorm must be a number above 0; got 0.'],
    [() => new SGD({ weightDecay: -1 }), 'sgd: weightDecay must be a number of 0 or more; got -1.'],
    [() => new SGD({ decay: -1 }), 'sgd: decay must be a number of 0 or more; got -1.'],
    [
      () => new SGD({ decay: 1, learningRate: () => 1 }),
      'sgd: decay and a schedule both change the learning rate; give one of them.',
    ],
  ])('%#', (act, message) => {
    expect(act).toThrow(ValueError);
    expect(act).toThrow(message);
  });

  test('null clips and decays are none', () => {
    const optimizer = new SGD({
      learningRate: 1,
      clipnorm: null,
      clipvalue: null,
      globalClipnorm: null,
      weightDecay: null,
    });
    const w = variable([1]);
    optimizer.applyGradients([[w, variable([100])]]);
    expect(w.item()).toBe(-99);
  });
});

describe('gradients and states that do not fit are errors, and change nothing', () => {
  test('a gradient of another shape or dtype', () => {
    const w = variable([1, 2]);
    const v = variable([5]);
    const optimizer = new SGD();
    expect(() =>
      optimizer.applyGradients([
        [v, variable([1])],
        [w, variable([[1, 2]])],
      ]),
    ).toThrow(ShapeError);
    expect(() => optimizer.applyGradients([[w, variable([1])]])).toThrow(
      'sgd: a parameter of shape [2] needs a gradient of that shape; got [1].',
    );
    expect(() => optimizer.applyGradients([[w, variable([1, 2], 'float64')]])).toThrow(DTypeError);
    expect([v.toArray(), w.toArray(), optimizer.iterations]).toEqual([[5], [1, 2], 0]);
  });

  test('a state of another optimizer, of other parameters, of another kind of learning rate', () => {
    const w = variable([1, 2]);
    const state = new Adam().state([w]);
    expect(() => new SGD().setState([w], state)).toThrow(
      "sgd: the state is that of the optimizer 'adam'.",
    );
    expect(() => new Adam().setState([], state)).toThrow(
      'adam: the state has 1 parameters; the model has 0.',
    );
    expect(() => new Adam().setState([variable([1])], state)).toThrow(
      "adam: slot 'mean' of parameter 0 needs 1 numbers, for shape [1]; the state has 2.",
    );
    expect(() => new Adam({ amsgrad: true }).setState([w], state)).toThrow(
      "adam: slot 'greatest' of parameter 0 needs 2 numbers, for shape [2]; the state has 0.",
    );
    expect(() => new Adam({ learningRate: () => 1 }).setState([w], state)).toThrow(
      'adam: the learning rate was a number in the state and is a schedule here.',
    );
    expect(() => new Adam().setState([w], { ...state, iterations: -1.5 })).toThrow(
      'adam: the state is damaged: iterations -1.5, clock of 3 numbers.',
    );
  });
});

describe('applyGradients refuses', () => {
  const w = variable([1, 2]);
  const g = variable([1, 1]);
  const pairs = 'sgd.applyGradients: takes pairs of a parameter and its gradient, as in [[w, g]]';

  test.each<[string, unknown, string]>([
    ['a Variable by itself', w, `${pairs}; got a Variable.`],
    ['gradients alone', [g], `${pairs}, both Variables; got a Variable.`],
    ['tensors', [[w, g.value]], `${pairs}, both Variables; got [a Variable, a Tensor].`],
    [
      'a gradient that is not there',
      [[w, w.grad]],
      'sgd.applyGradients: a parameter of shape [2] has no gradient (null): call backward first, and leave out what no gradient ' +
        'reaches.',
    ],
    [
      'a parameter twice',
      [
        [w, g],
        [w, g],
      ],
      'sgd.applyGradients: a parameter of shape [2] is given twice; add its gradients up.',
    ],
  ])('%s', (_, given, message) => {
    const optimizer = new SGD({ learningRate: 0.1 });
    expect(() => {
      Reflect.apply(optimizer.applyGradients.bind(optimizer), null, [given]);
    }).toThrow(new ValueError(message));
    expect([w.toArray(), optimizer.iterations]).toEqual([[1, 2], 0]);
  });
});
