/** The network of lessons 6 and 8. */
import { Dense, Input, Model } from 'tapegrad';

/**
 * An hourglass: 784 numbers through ever smaller layers to 2, and through ever larger ones back to 784.
 *
 * @returns two models of the same layers: `autoencoder` from image to image, and its first half, `encoder`, from image to
 *   code. Training the first trains the second.
 */
export function buildAutoencoder(): { autoencoder: Model; encoder: Model } {
  const input = Input({ shape: [784] });
  let x = new Dense(128, { activation: 'relu' }).apply(input);
  x = new Dense(64, { activation: 'relu' }).apply(x);
  x = new Dense(10, { activation: 'relu' }).apply(x);
  const code = new Dense(2, { name: 'encoder_output' }).apply(x);
  x = new Dense(10, { activation: 'relu' }).apply(code);
  x = new Dense(64, { activation: 'relu' }).apply(x);
  x = new Dense(128, { activation: 'relu' }).apply(x);
  const decoded = new Dense(784, { activation: 'tanh' }).apply(x);
  return {
    autoencoder: new Model({ inputs: input, outputs: decoded }),
    encoder: new Model({ inputs: input, outputs: code }),
  };
}
