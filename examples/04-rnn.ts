/**
 * Lesson 4: read a digit row by row.
 *
 * A recurrent network reads a sequence: here 28 rows of 28 pixels, one after another. At each step it mixes the new row with
 * what it remembers, h ← tanh(x·Wx + h·Wh + b). After the last row its memory of 50 numbers has to tell the digit.
 */
import { Adam, Dense, Sequential, SimpleRNN, mnist, toCategorical } from 'tapegrad';
import { beginLesson } from './lesson.js';

const BATCH = 50;
const { print, finish } = beginLesson('rnn');

const { xTrain, yTrain, xTest, yTest } = await mnist.load();
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

let testAccuracy = 0;
for (let step = 0; step <= 4000; step++) {
  // Batches in order, beginning anew when all 60,000 have been read.
  const from = (step * BATCH) % 60000;
  const x = xTrain.slice({ begin: [from, 0, 0], size: [BATCH, 28, 28] });
  const y = labels.slice({ begin: [from, 0], size: [BATCH, 10] });
  model.trainOnBatch(x, y);

  if (step % 500 === 0) {
    const test = await model.evaluate(xTest, testLabels, { batchSize: 10000, verbose: 0 });
    testAccuracy = test.accuracy;
    print(
      `step ${step}: test loss ${test.loss.toFixed(4)}, test accuracy ${testAccuracy.toFixed(4)}`,
    );
  }
}

await finish({ testAccuracy });
