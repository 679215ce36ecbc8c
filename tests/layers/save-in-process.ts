/** Saves a file again and again until it is killed: 0.8 MB of one value, and then of the next. */
import { Dense, Sequential } from '@tapegrad/layers';
import { full } from '@tapegrad/tensor';

const model = new Sequential([
  new Dense(500, { inputShape: [400], useBias: false, kernelInitializer: 'zeros', name: 'd' }),
]);
for (let value = 1; ; value++) {
  model.setWeights([full([400, 500], value)]);
  await model.saveWeights(process.argv[2]);
  process.stdout.write(`${value}\n`);
}
