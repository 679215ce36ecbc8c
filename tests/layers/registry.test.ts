import {
  Dense,
  SGD,
  Sequential,
  initializers,
  losses,
  metrics,
  regularizers,
  UnknownNameError,
  type OptimizerName,
} from '@tapegrad/layers';
import { ValueError, zeros } from '@tapegrad/tensor';
import { messageOf } from '../support/errors.js';

describe('an unknown name', () => {
  test.each([
    [
      'loss',
      () => losses.getLoss('mean_squared_error' as losses.LossName),
      /^Unknown loss 'mean_squared_error'. Did you mean 'meanSquaredError'\? Known are 'meanSquaredError', 'mse', .* or 'cosineSimilarity'\.$/,
    ],
    [
      'metric',
      () => metrics.getMetric('acuracy' as metrics.MetricName),
      /^Unknown metric 'acuracy'. Did you mean 'accuracy'\? Known are 'binaryAccuracy', .*'mse'/,
    ],
    [
      'optimizer',
      () => new Sequential().compile({ optimizer: 'Adm' as OptimizerName, loss: 'mse' }),
      /^Unknown optimizer 'Adm'. Did you mean 'adam'\? Known are 'sgd', 'rmsprop', .* or 'ftrl'\.$/,
    ],
    [
      'initializer',
      () => initializers.getInitializer('glorot' as initializers.InitializerName),
      /^Unknown initializer 'glorot'. Known are 'zeros', 'ones', .* or 'orthogonal'\.$/,
    ],
    [
      'regularizer',
      () => regularizers.getRegularizer('l3' as regularizers.RegularizerName),
      /^Unknown regularizer 'l3'.* Known are 'l1', 'l2' or 'l1l2'\.$/,
    ],
    [
      'option',
      () => new SGD({ lerningRate: 0.1 } as object),
      /^Unknown option of sgd 'lerningRate'. Did you mean 'learningRate'\? Known are 'learningRate', .* or 'nesterov'\.$/,
    ],
    [
      'nothing at all',
      (): unknown => Reflect.apply(losses.getLoss, null, []),
      /^Unknown loss undefined. Known are/,
    ],
  ])('%s', (_, act, message) => {
    expect(act).toThrow(UnknownNameError);
    expect(act).toThrow(message);
  });

  test('is not found among what every object has', () => {
    for (const name of ['toString', '__proto__', 'constructor'])
      expect(() => losses.getLoss(name as losses.LossName)).toThrow(UnknownNameError);
  });
});

describe('what makes something, in the place of what it makes', () => {
  const model = new Sequential([new Dense(1, { name: 'd', inputShape: [1] })]);
  const train = (options: object): unknown => {
    Reflect.apply(model.compile.bind(model), null, [{ loss: 'mse', optimizer: 'sgd', ...options }]);
    return model.trainOnBatch([[1]], [[1]]);
  };

  test.each<[string, () => unknown, string]>([
    [
      'an optimizer',
      () => train({ optimizer: SGD }),
      'compile: an optimizer is made before it is used, as in new SGD(); got SGD itself.',
    ],
    [
      'a loss',
      () => train({ loss: losses.huber }),
      'huber: options are an object; got a Variable. Call it before it is used, as in huber().',
    ],
    [
      'a metric',
      () => train({ metrics: [metrics.precision] }),
      'precision: options are an object; got a Variable. Call it before it is used, as in precision().',
    ],
    [
      'an initializer',
      () => {
        const kernelInitializer: unknown = initializers.heNormal;
        const options = { name: 'd', kernelInitializer: kernelInitializer as 'zeros' };
        return new Dense(1, options).apply([[1]]);
      },
      "d: the initializer of 'kernel' must return a tensor of shape [1, 1]; got a function. Call it first, as in " +
        'initializers.heNormal().',
    ],
  ])('%s', (_, act, message) => {
    expect(messageOf(ValueError, act)).toBe(message);
  });

  test('an initializer of another shape than the weight', () => {
    const layer = new Dense(3, { name: 'd', kernelInitializer: () => zeros([2, 3]) });
    expect(messageOf(ValueError, () => layer.apply([[1]]))).toBe(
      "d: the initializer of 'kernel' must return a tensor of shape [1, 3]; got one of [2, 3].",
    );
  });
});
