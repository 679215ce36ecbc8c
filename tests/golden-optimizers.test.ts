/** Every case of optimizers.json: trajectories step by step, and tables of learning-rate schedules. */
import { type DType } from '@tapegrad/tensor';
import { Variable } from '@tapegrad/autograd';
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
  type Schedule,
} from '@tapegrad/layers';
import { assertNumbersClose } from './support/close.js';
import {
  assertGolden,
  fromGolden,
  goldenCases,
  goldenTolerance,
  type GoldenTensor,
  type GoldenTensors,
} from './support/golden.js';
import { callByName } from './support/names.js';

type Config = Readonly<Record<string, unknown>>;

interface ScheduleCase {
  readonly name: string;
  readonly schedule: string;
  readonly config: Config;
  readonly inputs: { readonly step: GoldenTensor };
  readonly outputs: { readonly learningRate: GoldenTensor };
}

interface TrajectoryCase {
  readonly name: string;
  readonly optimizer: string;
  readonly config: Config;
  readonly resolvedConfig: Config;
  readonly weights: GoldenTensors;
  readonly steps: readonly {
    readonly learningRate: number;
    readonly gradients: GoldenTensors;
    readonly weights: GoldenTensors;
  }[];
}

const optimizers = {
  sgd: (config: Config) => new SGD(config),
  rmsprop: (config: Config) => new RMSprop(config),
  adam: (config: Config) => new Adam(config),
  adamw: (config: Config) => new AdamW(config),
  adagrad: (config: Config) => new Adagrad(config),
  adadelta: (config: Config) => new Adadelta(config),
  adamax: (config: Config) => new Adamax(config),
  nadam: (config: Config) => new Nadam(config),
  ftrl: (config: Config) => new Ftrl(config),
};

function scheduleOf(what: string, { schedule, config }: { schedule: string; config: Config }) {
  return callByName(
    `${what}: schedule`,
    schedules,
    Object.keys(schedules),
    schedule,
    config,
  ) as Schedule;
}

function isSchedule(value: unknown): value is { schedule: string; config: Config } {
  return typeof value === 'object' && value !== null && 'schedule' in value;
}

function optimizerOf({ name, optimizer }: TrajectoryCase, config: Config): Optimizer {
  const rate = config.learningRate;
  const settings = isSchedule(rate) ? { ...config, learningRate: scheduleOf(name, rate) } : config;
  const known = Object.keys(optimizers);
  return callByName(`${name}: optimizer`, optimizers, known, optimizer, settings) as Optimizer;
}

function checkTrajectory(golden: TrajectoryCase, config: Config, float: DType): void {
  const optimizer = optimizerOf(golden, config);
  const names = Object.keys(golden.weights);
  const weights = names.map((name) => new Variable(fromGolden(golden.weights[name], float), true));
  expect(golden.steps.length).toBeGreaterThan(0);
  golden.steps.forEach((step, i) => {
    const what = `${golden.name}, step ${i} in ${float}`;
    expect(optimizer.iterations).toBe(i);
    const rate = [optimizer.effectiveLearningRate];
    const exact = goldenTolerance('float64', 'output');
    assertNumbersClose(`${what}, learning rate`, rate, [step.learningRate], exact);
    expect(Object.keys(step.gradients)).toEqual(names);
    const gradients = names.map((name) => new Variable(fromGolden(step.gradients[name], float)));
    optimizer.applyGradients(weights.map((w, k) => [w, gradients[k]] as const));
    names.forEach((name, k) => {
      assertGolden(`${what}, ${name}`, weights[k].value, step.weights[name], float);
    });
  });
}

function checkSchedule(golden: ScheduleCase): void {
  const schedule = scheduleOf(golden.name, golden);
  assertNumbersClose(
    golden.name,
    golden.inputs.step.data.map((step) => schedule(step)),
    golden.outputs.learningRate.data,
    goldenTolerance('float64', 'output'),
  );
}

const cases = goldenCases<TrajectoryCase | ScheduleCase>('optimizer', 'schedule');
const tables = cases.filter((golden): golden is ScheduleCase => 'schedule' in golden);
const trajectories = cases.filter((golden): golden is TrajectoryCase => 'optimizer' in golden);

test('every case is a trajectory or a table', () => {
  expect(tables.length + trajectories.length).toBe(cases.length);
});

describe.each(['float64', 'float32'] as const)('trajectories of optimizers.json in %s', (float) => {
  test.each(trajectories.map((golden) => [golden.name, golden] as const))('%s', (_, golden) => {
    checkTrajectory(golden, golden.config, float);
    // The same with all defaults spelt out: they are what the file says they are.
    checkTrajectory(golden, golden.resolvedConfig, float);
  });
});

describe('schedules of optimizers.json', () => {
  test.each(tables.map((golden) => [golden.name, golden] as const))('%s', (_, golden) => {
    checkSchedule(golden);
  });
});

describe('the comparison itself', () => {
  const golden: TrajectoryCase = {
    name: 'step',
    optimizer: 'sgd',
    config: { learningRate: 0.5 },
    resolvedConfig: { learningRate: 0.5 },
    weights: { a: { shape: [1], data: [1] } },
    steps: [
      {
        learningRate: 0.5,
        gradients: { a: { shape: [1], data: [1] } },
        weights: { a: { shape: [1], data: [0.5] } },
      },
    ],
  };

  test('passes what is right', () => checkTrajectory(golden, golden.config, 'float64'));

  test('refuses unknown names and settings, and a wrong weight', () => {
    const refuse = (change: Partial<TrajectoryCase>, config: Config, message: RegExp): void => {
      expect(() => checkTrajectory({ ...golden, ...change }, config, 'float64')).toThrow(message);
    };
    refuse({ optimizer: 'sgdd' }, {}, /step: optimizer: unknown 'sgdd'/);
    refuse({}, { rate: 1 }, /Unknown option of sgd 'rate'/);
    refuse(
      {},
      { learningRate: { schedule: 'decay', config: {} } },
      /step: schedule: unknown 'decay'/,
    );
    refuse({}, { learningRate: 0.4 }, /step 0 in float64, learning rate: 1 of 1 elements differ/);
    const steps = golden.steps.map((step) => ({
      ...step,
      weights: { a: { shape: [1], data: [0.5001] } },
    }));
    refuse({ steps }, golden.config, /step 0 in float64, a: 1 of 1 elements differ/);
  });
});
