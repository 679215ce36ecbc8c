/**
 * Lesson 6: 784 numbers to 2 and back.
 *
 * The network has to give back the image that it was shown, through a bottleneck of only 2 numbers. What it learns to write
 * into these two is a map of the digits: similar ones come to lie side by side, though nobody told it which is which.
 */
import { codes, history as course, imageGrid } from '@tapegrad/plots';
import { mnist } from 'tapegrad';
import { buildAutoencoder } from './autoencoder.js';
import { beginLesson } from './lesson.js';

const { print, verbose, limit, save, finish } = beginLesson('autoencoder');

const { xTrain, xTest, yTest } = limit(await mnist.load());
const images = xTrain.reshape([-1, 784]).sub(0.5);
const testImages = xTest.reshape([-1, 784]).sub(0.5);

// Two models of the same layers: training the first trains the second.
const { autoencoder, encoder } = buildAutoencoder();
autoencoder.compile({ optimizer: 'adam', loss: 'mse' });
print('Training');
const { history } = await autoencoder.fit(images, images, { epochs: 20, batchSize: 256, verbose });

await save('history', course(history, { title: 'Training' }));

const map = encoder.predict(testImages, { batchSize: 256 });
const axes = { xLabel: 'first number', yLabel: 'second number', labelTitle: 'digit' };
await save('codes', codes(map, yTest, { ...axes, title: 'The test digits, each as two numbers' }));

const shown = testImages.slice({ begin: [0, 0], size: [10, 784] });
const rows = [shown, autoencoder.predict(shown)].map((x) => x.add(0.5).reshape([10, 28, 28]));
const title = 'Test digits, and what is left of them';
await save('digits', imageGrid(rows, { title, range: [0, 1], rowLabels: ['shown', 'decoded'] }));

const { loss: testLoss } = await autoencoder.evaluate(testImages, testImages, {
  batchSize: 256,
  verbose: 0,
});

await finish({ firstLoss: history.loss[0], loss: history.loss[19], testLoss });
