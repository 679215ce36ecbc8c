/**
 * Lesson 2: read handwritten digits with a dense network.
 *
 * An image is 28 x 28 numbers from 0 (paper) to 1 (ink), laid out in one row of 784. A first layer of 32 neurons looks for
 * patterns in it, a second of 10 weighs them into a score for each digit, and softmax turns the scores into probabilities
 * that add up to 1. Training makes the probability of the right digit large: that is what the cross-entropy measures.
 */
import { history as course, imageGrid } from '@tapegrad/plots';
import { Activation, Dense, RMSprop, Sequential, mnist, toCategorical } from 'tapegrad';
import { beginLesson } from './lesson.js';
import { saveReadings } from './pictures.js';

const { print, verbose, limit, save, finish } = beginLesson('classifier');

// 60,000 digits to learn from, and 10,000 others for the test.
const { xTrain, yTrain, xTest, yTest } = limit(await mnist.load());
const images = xTrain.reshape([-1, 784]);
const testImages = xTest.reshape([-1, 784]);
// A label such as 3 becomes [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]: what the probabilities should be.
const labels = toCategorical(yTrain, 10);
const testLabels = toCategorical(yTest, 10);

const model = new Sequential([
  new Dense(32, { inputShape: [784] }),
  new Activation('relu'),
  new Dense(10),
  new Activation('softmax'),
]);
model.compile({
  optimizer: new RMSprop({ learningRate: 0.001, rho: 0.9, epsilon: 1e-8, decay: 0 }),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});
model.summary(print);

print('\nTraining');
const { history } = await model.fit(images, labels, {
  epochs: 2,
  batchSize: 32,
  validationData: [testImages, testLabels], // measured after each epoch; nothing is learnt from them
  verbose,
});
await save('history', course(history, { title: 'Two epochs of training' }));

print('\nTesting');
const test = await model.evaluate(testImages, testLabels, { verbose });
await saveReadings(save, testImages, yTest, model.predict(testImages));

// The weights of a neuron, laid out as the image that they are multiplied by: light where ink speaks for its pattern,
// dark where ink speaks against it, grey where it does not matter.
const [patterns] = model.layers[0].getWeights();
const most = patterns.abs().max().item();
const drawn = patterns.transpose().reshape([32, 28, 28]);
const title = 'What the 32 neurons of the first layer look for';
await save('patterns', imageGrid(drawn, { title, columns: 8, range: [-most, most] }));

await finish({
  trainLoss: history.loss[1],
  trainAccuracy: history.accuracy[1],
  testLoss: test.loss,
  testAccuracy: test.accuracy,
});
