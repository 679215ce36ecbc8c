/** `npm run tutorial -- NAME [options]`: runs a lesson by its name. The options are those of lesson.ts. */
const lessons: Record<string, string> = {
  regressor: './01-regressor.ts',
  classifier: './02-classifier.ts',
  cnn: './03-cnn.ts',
  rnn: './04-rnn.ts',
  lstm: './05-lstm.ts',
  autoencoder: './06-autoencoder.ts',
  vae: './07-variational-autoencoder.ts',
};

const name = process.argv.slice(2).find((word) => word === 'all' || word in lessons);
if (name === undefined) {
  const known = [...Object.keys(lessons), 'all'].join(', ');
  console.error(`Which lesson? One of: ${known}. For example: npm run tutorial -- regressor`);
  process.exitCode = 1;
} else {
  for (const lesson of name === 'all' ? Object.keys(lessons) : [name])
    await import(lessons[lesson]);
}
