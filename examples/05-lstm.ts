/**
 * Lesson 5: from sine to cosine with a memory.
 *
 * The input is a sine wave, 20 points at a time, the target its cosine. From one point alone sin x does not tell cos x: the
 * wave may be rising or falling. A stateful LSTM carries its memory from each batch to the next, so it can know.
 */
import { frames, line, type Picture } from '@tapegrad/plots';
import { Adam, Dense, LSTM, Sequential, TimeDistributed, sineWindows } from 'tapegrad';
import { beginLesson } from './lesson.js';
import { chart } from './terminal.js';

const [BATCH, TIME] = [50, 20];
const { print, live, save, finish } = beginLesson('lstm');

const lstm = new LSTM(20, {
  batchInputShape: [BATCH, TIME, 1],
  returnSequences: true,
  stateful: true,
});
// TimeDistributed: the same Dense layer for each of the 20 points.
const model = new Sequential([lstm, new TimeDistributed(new Dense(1))]);
model.compile({ optimizer: new Adam({ learningRate: 0.006 }), loss: 'mse' });

const costs: number[] = [];
const moving: Picture[] = [];
const axes = { xLabel: 't', yLabel: 'value', yDomain: [-1.2, 1.2] } as const;
for (const { x, y, positions } of sineWindows({ batchSize: BATCH, timeSteps: TIME, advance: 20 })) {
  const before = lstm.states ?? undefined;
  const { loss } = model.trainOnBatch(x, y);
  // The prediction begins with the memory with which the training step began.
  lstm.resetStates(before);
  const predicted = model.predict(x, { batchSize: BATCH });

  // The first of the 50 sequences, as the course draws it.
  const [t, target, guess] = [positions, y, predicted].map((values) =>
    values.reshape([BATCH, TIME]).gather(0),
  );
  const step = costs.push(loss) - 1;
  live(() => {
    const known = { y: target.toTypedArray(), label: 'cos t', colour: 34 };
    const now = { y: guess.toTypedArray(), label: 'prediction', colour: 31, dashed: true };
    return chart([known, now], { title: `step ${step}`, yDomain: [-1.2, 1.2] });
  });
  if (step % 10 === 0) {
    print(`step ${step}: cost ${loss.toPrecision(4)}`);
    const curves = [
      { x: t, y: target, label: 'cos t' },
      { x: t, y: guess, label: 'prediction', dashed: true },
    ];
    moving.push(line(curves, { ...axes, title: `The first sequence at step ${step}` }));
  }
  if (step === 500) break;
}
await save('curve', frames(moving, { captions: moving.map((_, i) => `step ${10 * i}`) }));
await save(
  'cost',
  line(
    costs.map((_, i) => i),
    costs,
    { title: 'Training', xLabel: 'step', yLabel: 'cost' },
  ),
);

const last = costs.slice(-50);
const meanCost = last.reduce((sum, cost) => sum + cost) / last.length;
await finish({ meanCost, lastCost: costs[500] });
