/** Saves a file again and again until it is killed: 0.8 MB of one value, and then of the next. */
import { Dense, Sequential } from '@tapegrad/layers';
import { full } from '@tapegrad/tensor';

async function save(path: string, from: number): Promise<never> {
  const model = new Sequential([
    new Dense(500, { inputShape: [400], useBias: false, kernelInitializer: 'zeros', name: 'd' }),
  ]);
  for (let value = from; ; value++) {
    model.setWeights([full([400, 500], value)]);
    process.stdout.write(`begins ${value}\n`);
    await model.saveWeights(path);
    process.stdout.write(`saved ${value}\n`);
  }
}

void save(process.argv[2], Number(process.argv[3]));
