import {
  SGD,
  Sequential,
  initializers,
  losses,
  metrics,
  regularizers,
  UnknownNameError,
  type OptimizerName,
} from '@tapegrad/layers';

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
      /^Unknown loss 'undefined'. Known are/,
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
