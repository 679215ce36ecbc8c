/**
 * `npm run tutorial -- NAME [options]`: runs a lesson by its name, or the six programs of the course by the name `all`. The
 * options are those of lesson.ts.
 */
const course: Record<string, string> = {
  regressor: './01-regressor.ts',
  classifier: './02-classifier.ts',
  cnn: './03-cnn.ts',
  rnn: './04-rnn.ts',
  lstm: './05-lstm.ts',
  autoencoder: './06-autoencoder.ts',
};
const lessons: Record<string, string> = {
  ...course,
  vae: './07-variational-autoencoder.ts',
  pca: './08-autoencoder-vs-pca.ts',
};

const name = process.argv.slice(2).find((word) => word === 'all' || Object.hasOwn(lessons, word));
if (name === undefined) {
  const known = [...Object.keys(lessons), 'all'].join(', ');
  console.error(`Which lesson? One of: ${known}. For example: npm run tutorial -- regressor`);
  process.exitCode = 1;
} else if (name === 'all') {
  const begin = performance.now();
  for (const file of Object.values(course)) await import(file);
  const seconds = (performance.now() - begin) / 1000;
  if (!process.argv.includes('--quiet')) console.log(`all: ${seconds.toFixed(1)} s`);
} else {
  await import(lessons[name]);
}
