/**
 * The functions that a file may call by name: those of this library that make initializers, losses and the like.
 */
import { constraintFactories } from '../constraints.js';
import { initializerFactories } from '../initializers.js';
import { lossFactories } from '../losses.js';
import { metricFactories } from '../metrics.js';
import { optimizerFactories } from '../optimizers/index.js';
import { scheduleFactories } from '../optimizers/schedules.js';
import { regularizerFactories } from '../regularizers.js';

type Factory = (...args: unknown[]) => object;

let table: ReadonlyMap<string, Factory> | null = null;

/** By name: 'initializers.constant', 'losses.huber' … */
export function factories(): ReadonlyMap<string, Factory> {
  if (table !== null) return table;
  const kinds: Readonly<Record<string, object>> = {
    constraints: constraintFactories,
    initializers: initializerFactories,
    losses: lossFactories,
    metrics: metricFactories,
    optimizers: optimizerFactories,
    regularizers: regularizerFactories,
    schedules: scheduleFactories,
  };
  table = new Map(
    Object.entries(kinds).flatMap(([kind, functions]) =>
      Object.entries(functions).map(([name, f]) => [`${kind}.${name}`, f as Factory] as const),
    ),
  );
  return table;
}
