/**
 * Lesson 4: read a digit row by row.
 *
 * A recurrent network reads a sequence: here 28 rows of 28 pixels, one after another. At each step it mixes the new row with
 * what it remembers, h ← tanh(x·Wx + h·Wh + b). After the last row its memory of 50 numbers has to tell the digit.
 */
import { line } from '@tapegrad/plots';
import {
  Adam,
  Dense,
  Sequential,
  SimpleRNN,
  TimeDistributed,
  mnist,
  toCategorical,
} from 'tapegrad';
import { beginLesson } from './lesson.js';

const BATCH = 50;
const { print, limit, save, finish } = beginLesson('rnn');

const { xTrain, yTrain, xTest, yTest } = limit(await mnist.load());
const labels = toCategorical(yTrain, 10);
const testLabels = toCategorical(yTest, 10);

const model = new Sequential([
  new SimpleRNN(50, { batchInputShape: [null, 28, 28], unroll: true }),
  new Dense(10, { activation: 'softmax' }),
]);
model.compile({
  optimizer: new Adam({ learningRate: 0.001 }),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});

// 4,000 steps for 60,000 images: each is read three times and a third.
const steps = Math.round(xTrain.shape[0] / 15);
const pause = Math.ceil(steps / 8);
const course: { x: number[]; y: number[] } = { x: [], y: [] };
for (let step = 0; step <= steps; step++) {
  // Batches in order, beginning anew when all images have been read.
  const from = (step * BATCH) % xTrain.shape[0];
  const x = xTrain.slice({ begin: [from, 0, 0], size: [BATCH, 28, 28] });
  const y = labels.slice({ begin: [from, 0], size: [BATCH, 10] });
  model.trainOnBatch(x, y);

  if (step % pause === 0) {
    const test = await model.evaluate(xTest, testLabels, { batchSize: 10000, verbose: 0 });
    course.x.push(step);
    course.y.push(test.accuracy);
    const [loss, accuracy] = [test.loss, test.accuracy].map((value) => value.toFixed(4));
    print(`step ${step}: test loss ${loss}, test accuracy ${accuracy}`);
  }
}
const axes = { xLabel: 'step', yLabel: 'test accuracy', yDomain: [-0.02, 1.02] } as const;
await save('accuracy', line(course.x, course.y, { ...axes, title: 'Reading the test digits' }));

// The same weights, asked for an answer after every row: how the network makes up its mind about the first test digit.
const reader = new Sequential([
  new SimpleRNN(50, { inputShape: [28, 28], returnSequences: true }),
  new TimeDistributed(new Dense(10, { activation: 'softmax' })),
]);
reader.setWeights(model.getWeights());
const beliefs = reader.predict(xTest.slice({ begin: [0, 0, 0], size: [1, 28, 28] }));
const curves = Array.from({ length: 10 }, (_, digit) => ({
  x: Array.from({ length: 28 }, (_, row) => row + 1),
  y: beliefs.gather([digit], { axis: 2 }),
  label: `${digit}`,
}));
const title = `A ${yTest.gather([0]).item()}, read row by row`;
const sides = { xLabel: 'rows read', yLabel: 'probability', yDomain: [-0.02, 1.02] } as const;
await save('beliefs', line(curves, { ...sides, title }));

await finish({ testAccuracy: course.y[course.y.length - 1] });
