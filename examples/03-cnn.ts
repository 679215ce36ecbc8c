/**
 * Lesson 3: read handwritten digits with a convolutional network.
 *
 * A dense layer does not know that two pixels are neighbours. A convolution does: it slides small windows of 5 x 5 weights
 * over the image, so that a stroke is found wherever it is. Pooling then keeps the strongest answer of each 2 x 2 square.
 * Two rounds of this, and a dense network decides.
 */
import { imageGrid, sideBySide } from '@tapegrad/plots';
import {
  Activation,
  Adam,
  Conv2D,
  Dense,
  Flatten,
  MaxPooling2D,
  Sequential,
  mnist,
  toCategorical,
} from 'tapegrad';
import { beginLesson } from './lesson.js';
import { EpochCourse, saveReadings } from './pictures.js';

const { print, verbose, limit, save, finish } = beginLesson('cnn');

// One channel (grey) comes first: [images, channels, rows, columns].
const { xTrain, yTrain, xTest, yTest } = limit(await mnist.load());
const images = xTrain.reshape([-1, 1, 28, 28]);
const testImages = xTest.reshape([-1, 1, 28, 28]);
const labels = toCategorical(yTrain, 10);
const testLabels = toCategorical(yTest, 10);

const convolution = { strides: 1, padding: 'same', dataFormat: 'channelsFirst' } as const;
const pooling = { strides: 2, padding: 'same', dataFormat: 'channelsFirst' } as const;
const model = new Sequential([
  new Conv2D(32, 5, { ...convolution, inputShape: [1, 28, 28] }), // 32 windows: [32, 28, 28]
  new Activation('relu'),
  new MaxPooling2D(2, pooling), // [32, 14, 14]
  new Conv2D(64, 5, convolution), // 64 windows through all 32 channels: [64, 14, 14]
  new Activation('relu'),
  new MaxPooling2D(2, pooling), // [64, 7, 7]
  new Flatten(), // 3136 numbers
  new Dense(1024),
  new Activation('relu'),
  new Dense(10),
  new Activation('softmax'),
]);
model.compile({
  optimizer: new Adam({ learningRate: 1e-4 }),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});
model.summary(print);

print('\nTraining');
const course = new EpochCourse();
const training = { epochs: 1, batchSize: 64, callbacks: [course], verbose };
const { history } = await model.fit(images, labels, training);
await save('course', course.picture());

print('\nTesting');
const test = await model.evaluate(testImages, testLabels, { batchSize: 64, verbose });
await saveReadings(save, testImages, yTest, model.predict(testImages, { batchSize: 64 }));

// The first layers as a model of their own: what its windows find in the first test digit.
const seeing = new Sequential(model.layers.slice(0, 2));
const digit = testImages.slice({ begin: [0, 0, 0, 0], size: [1, 1, 28, 28] });
const found = seeing.predict(digit).reshape([32, 28, 28]);
const windows = model.layers[0].getWeights()[0].transpose([3, 2, 0, 1]).reshape([32, 5, 5]);
const grids = [
  imageGrid(windows, { title: 'The 32 windows of the first layer', columns: 8, scale: 11 }),
  imageGrid(found, { title: `What they find in a ${yTest.gather([0]).item()}`, columns: 8 }),
];
await save('windows', sideBySide(grids));

const [trainLoss, trainAccuracy] = [history.loss[0], history.accuracy[0]];
await finish({ trainLoss, trainAccuracy, testLoss: test.loss, testAccuracy: test.accuracy });
