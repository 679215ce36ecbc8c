/**
 * Lesson 1: fit a line.
 *
 * 200 points lie around y = 0.5 x + 2. A network of one neuron, y = W x + b, starts with a random W and b = 0. Each step
 * measures how wrong it is on average (the cost), asks in which direction W and b would have to move to be less wrong (the
 * gradient), and moves them a little that way.
 */
import { scatter } from '@tapegrad/plots';
import { Dense, Sequential, line, trainTestSplit } from 'tapegrad';
import { beginLesson } from './lesson.js';

const { print, save, finish } = beginLesson('regressor');

// The first 160 points are for training, the last 40 for testing.
const { x, y } = line({ count: 200, slope: 0.5, intercept: 2, noise: 0.05 });
const { xTrain, yTrain, xTest, yTest } = trainTestSplit(x, y, { testSize: 40, shuffle: false });

const axes = { xLabel: 'x', yLabel: 'y' };
await save('data', scatter(x, y, { ...axes, title: '200 points around y = 0.5 x + 2' }));

const model = new Sequential([new Dense(1, { inputShape: [1] })]);
model.compile({ loss: 'mse', optimizer: 'sgd' });
const initialW = model.layers[0].getWeights()[0].item();

print('Training');
for (let step = 0; step <= 300; step++) {
  const { loss } = model.trainOnBatch(xTrain, yTrain);
  if (step % 100 === 0) print(`step ${step}, cost ${loss.toPrecision(4)}`);
}

print('\nTesting');
const { loss: testCost } = await model.evaluate(xTest, yTest, { batchSize: 40, verbose: 0 });
const [W, b] = model.layers[0].getWeights().map((weight) => weight.item());
print(`the line is y = ${W.toFixed(3)} x + ${b.toFixed(3)}`);
print('predictions for x = -1, 0, 1:', model.predict([[-1], [0], [1]]).toArray());

const ends = [[-1], [1]];
const found = {
  x: [-1, 1],
  y: model.predict(ends),
  label: `y = ${W.toFixed(3)} x + ${b.toFixed(3)}`,
};
const title = 'The test points and the line that was found';
await save('fit', scatter(xTest, yTest, { ...axes, title, label: 'test points', lines: [found] }));

await finish({ testCost, W, b, initialW });
