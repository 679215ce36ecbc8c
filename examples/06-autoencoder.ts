/**
 * Lesson 6: 784 numbers to 2 and back.
 *
 * The network has to give back the image that it was shown, through a bottleneck of only 2 numbers. What it learns to write
 * into these two is a map of the digits: similar ones come to lie side by side, though nobody told it which is which.
 */
import { codes, imageGrid } from '@tapegrad/plots';
import { Dense, Input, Model, mnist, ops } from 'tapegrad';
import { beginLesson } from './lesson.js';

const { print, verbose, save, finish } = beginLesson('autoencoder');

const { xTrain, xTest, yTest } = await mnist.load();
const images = xTrain.reshape([60000, 784]).sub(0.5);
const testImages = xTest.reshape([10000, 784]).sub(0.5);

const input = Input({ shape: [784] });
let x = new Dense(128, { activation: 'relu' }).apply(input);
x = new Dense(64, { activation: 'relu' }).apply(x);
x = new Dense(10, { activation: 'relu' }).apply(x);
const code = new Dense(2, { name: 'encoder_output' }).apply(x);
x = new Dense(10, { activation: 'relu' }).apply(code);
x = new Dense(64, { activation: 'relu' }).apply(x);
x = new Dense(128, { activation: 'relu' }).apply(x);
const decoded = new Dense(784, { activation: 'tanh' }).apply(x);

// Two models of the same layers: training the first trains the second.
const autoencoder = new Model({ inputs: input, outputs: decoded });
const encoder = new Model({ inputs: input, outputs: code });

autoencoder.compile({ optimizer: 'adam', loss: 'mse' });
print('Training');
const { history } = await autoencoder.fit(images, images, { epochs: 20, batchSize: 256, verbose });

const map = encoder.predict(testImages, { batchSize: 256 });
const axes = { xLabel: 'first number', yLabel: 'second number', labelTitle: 'digit' };
await save('codes', codes(map, yTest, { ...axes, title: '10,000 digits, each as two numbers' }));

const shown = testImages.slice({ begin: [0, 0], size: [10, 784] });
const both = ops.concat([shown, autoencoder.predict(shown)]).value.add(0.5);
await save(
  'digits',
  imageGrid(both.reshape([20, 28, 28]), {
    columns: 10,
    range: [0, 1],
    title: 'Test digits, and what is left of them',
  }),
);

const { loss: testLoss } = await autoencoder.evaluate(testImages, testImages, {
  batchSize: 256,
  verbose: 0,
});

await finish({ firstLoss: history.loss[0], loss: history.loss[19], testLoss });
