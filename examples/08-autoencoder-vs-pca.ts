/**
 * Lesson 8: is the network worth it? An autoencoder beside principal components.
 *
 * Images can be written as two numbers without any network: how far they lie along the two directions in which images vary
 * most (principal component analysis, Pearson 1901). No other linear code of two numbers loses less. The autoencoder of
 * lesson 6 may bend its plane; does it lose less still, and does it tell the digits apart better?
 */
import { codes, imageGrid, sideBySide } from '@tapegrad/plots';
import { mnist, type Tensor } from 'tapegrad';
import { buildAutoencoder } from './autoencoder.js';
import { beginLesson } from './lesson.js';
import { neighbourAgreement, principalComponents } from './pca.js';

const { print, verbose, limit, save, finish } = beginLesson('pca');

const { xTrain, xTest, yTest } = limit(await mnist.load());
const images = xTrain.reshape([-1, 784]).sub(0.5);
const testImages = xTest.reshape([-1, 784]).sub(0.5);

print('Principal components');
const { mean, axes, variances, totalVariance } = principalComponents(images, 2);
const pcaCodes = testImages.sub(mean).matmul(axes.transpose());
const pcaDecoded = pcaCodes.matmul(axes).add(mean);
const share = (variances[0] + variances[1]) / totalVariance;
print(`two directions out of 784 hold ${(100 * share).toFixed(1)}% of the variance`);

print('\nAutoencoder');
const { autoencoder, encoder } = buildAutoencoder();
autoencoder.compile({ optimizer: 'adam', loss: 'mse' });
await autoencoder.fit(images, images, { epochs: 20, batchSize: 256, verbose });
const netCodes = encoder.predict(testImages, { batchSize: 256 });
const netDecoded = autoencoder.predict(testImages, { batchSize: 256 });

/** How far decoded images are from the test images: the mean square of what a pixel is off. */
const errorOf = (decoded: Tensor): number => testImages.sub(decoded).square().mean().item();
const [pcaError, netError] = [errorOf(pcaDecoded), errorOf(netDecoded)];
const [pcaNeighbours, netNeighbours] = [pcaCodes, netCodes].map((plane) =>
  neighbourAgreement(plane, yTest),
);

const labels = { xLabel: 'first number', yLabel: 'second number', labelTitle: 'digit' };
const clouds = [
  codes(pcaCodes, yTest, { ...labels, title: `PCA: mean squared error ${pcaError.toFixed(4)}` }),
  codes(netCodes, yTest, {
    ...labels,
    title: `Autoencoder: mean squared error ${netError.toFixed(4)}`,
  }),
];
await save('codes', sideBySide(clouds, { title: 'The test digits as two numbers' }));

const firstTen = [testImages, pcaDecoded, netDecoded].map((x) =>
  x
    .slice({ begin: [0, 0], size: [10, 784] })
    .add(0.5)
    .reshape([10, 28, 28]),
);
const rows = { rowLabels: ['shown', 'PCA', 'autoencoder'], range: [0, 1] } as const;
await save('digits', imageGrid(firstTen, { ...rows, title: 'Test digits through two numbers' }));

const captions = ['first', 'second'];
const directions = axes.reshape([2, 28, 28]);
const title = 'Where the digits vary most';
await save('directions', imageGrid(directions, { title, captions, scale: 6 }));

await finish({ share, pcaError, netError, pcaNeighbours, netNeighbours });
