/**
 * Lesson 7: a variational autoencoder, trained by hand.
 *
 * The autoencoder of lesson 6 puts its digits anywhere on the plane. A variational one (Kingma & Welling 2014) says of each
 * image not a point but a cloud, N(μ, σ²), draws a point from it, and is charged for clouds that stray from N(0, 1). So the
 * plane is filled without gaps, and any point of it decodes to something like a digit.
 *
 * The loss does not fit `compile`, so the training loop is written out: value and gradients, then a step of the optimizer.
 */
import { codes, imageGrid } from '@tapegrad/plots';
import {
  Adam,
  Dense,
  Sequential,
  batches,
  defaultGenerator,
  linspace,
  mnist,
  ops,
  valueAndGrad,
  type Variable,
} from 'tapegrad';
import { beginLesson } from './lesson.js';

const EPOCHS = 5;
const { print, limit, save, finish } = beginLesson('vae');
const { xTrain, xTest, yTest } = limit(await mnist.load());
const images = xTrain.reshape([-1, 784]);

const encoder = new Sequential([
  new Dense(128, { activation: 'relu', inputShape: [784] }),
  new Dense(4), // μ and ln σ², for each of the two axes of the plane
]);
const decoder = new Sequential([
  new Dense(128, { activation: 'relu', inputShape: [2] }),
  new Dense(784), // logits of the pixels
]);
const weights = [...encoder.weights, ...decoder.weights];
const optimizer = new Adam({ learningRate: 0.001 });
const noise = defaultGenerator().stream('noise');

/** The mean over a batch of what the image costs, plus what the cloud costs (both in nats). */
function loss(x: Variable): Variable {
  const [mean, logVariance] = ops.split(encoder.apply(x), 2, { axis: 1 });
  // A draw that gradients pass through: μ + σ·ε with ε from N(0, 1).
  const point = mean.add(logVariance.mul(0.5).exp().mul(noise.normal(mean.shape)));
  const image = ops.sigmoidCrossEntropy(decoder.apply(point), x).sum(1);
  const cloud = mean.square().add(logVariance.exp()).sub(logVariance).sub(1).sum(1).mul(0.5);
  return image.add(cloud).mean();
}

const step = valueAndGrad(loss, weights);
const costs: number[] = [];
for (let epoch = 1; epoch <= EPOCHS; epoch++) {
  let sum = 0;
  for (const x of batches(images, { batchSize: 128, shuffle: true })) {
    const [value, grads] = step(x);
    optimizer.applyGradients(weights.map((w, i) => [w, grads[i]]));
    sum += value.item() * x.shape[0];
  }
  costs.push(sum / images.shape[0]);
  print(`epoch ${epoch}: cost ${costs[epoch - 1].toFixed(2)}`);
}

// What the points of a square of the plane decode to, row by row from the top.
const ticks = [...linspace(-2.5, 2.5, 15).toTypedArray()];
const down = [...ticks].reverse();
const points = down.flatMap((y) => ticks.map((x) => [x, y]));
const digits = ops.sigmoid(decoder.predict(points)).value.reshape([225, 28, 28]);
const rowLabels = down.map((y) => y.toFixed(1));
const plane = { columns: 15, rowLabels, title: 'What the points from -2.5 to 2.5 decode to' };
await save('plane', imageGrid(digits, plane));

const means = ops.split(encoder.predict(xTest.reshape([-1, 784])), 2, { axis: 1 })[0].value;
const axes = { xLabel: 'first number', yLabel: 'second number', labelTitle: 'digit' };
const title = 'The middles of the clouds of the test digits';
await save('codes', codes(means, yTest, { ...axes, title }));

await finish({ firstCost: costs[0], cost: costs[EPOCHS - 1] });
