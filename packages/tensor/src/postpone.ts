/**
 * The order of a recording's calls: a large result that is not needed soon is computed later, when others have made room for
 * it. The gradient of a layer's weights is needed at the end of the step alone, when the optimizer changes them.
 */
import { bytesOf } from './dtype.js';
import { SOME_ADDRESS, lowerCall } from './lower.js';
import {
  draws,
  mayChange,
  operandsOf,
  type RecordedCall,
  type RecordedEvent,
  type Recording,
} from './recording.js';
import type { Storage } from './tensor.js';

/** Smaller results are left where they are. */
const LARGE_BYTES = 1 << 20;

/**
 * The same recording with large results computed just before their first use, where that takes less memory.
 *
 * @param large from how many bytes on a result is large
 */
export function postpone({ inputs, outputs, events }: Recording, large = LARGE_BYTES): Recording {
  const always = new Set([...inputs, ...outputs].map((x) => x.storage));
  const order = [...events];
  // From the last one on: what a result waits for has its place already.
  for (let at = order.length - 1; at >= 0; at--) {
    const { call } = order[at];
    if (call === null || call.outputs.length !== 1 || bytesOf(call.outputs[0]) < large) continue;
    const out = call.outputs[0];
    const use = order.findIndex((event, i) => i > at && uses(event, out.storage));
    if (always.has(out.storage) || use <= at + 1) continue;
    const between = order.slice(at + 1, use);
    const rest = order.slice(use);
    // Its inputs have to stay until then.
    const kept = new Set(
      operandsOf(order[at]).filter(({ storage }) => {
        return (
          !storage.known && !always.has(storage) && !rest.some((event) => uses(event, storage))
        );
      }),
    );
    const keptBytes = [...kept].reduce((sum, x) => sum + bytesOf(x), 0);
    if (keptBytes >= bytesOf(out) || !canWait(call, between)) continue;
    order.splice(at, use - at, ...between, order[at]);
  }
  return { inputs, outputs, events: order };
}

function uses(event: RecordedEvent, storage: Storage): boolean {
  return operandsOf(event).some((x) => x.storage === storage);
}

/** Whether a call gives the same after these events as before them, and cannot fail when some of them have changed weights. */
function canWait(call: RecordedCall, between: readonly RecordedEvent[]): boolean {
  if (call.spec.kind !== 'kernel' || draws(call)) return false;
  const operands = operandsOf({ call, effect: null }).map(({ storage }) => storage);
  if (between.some((event) => operands.some((storage) => mayChange(event, storage)))) return false;
  const { commands, faults } = lowerCall(call, () => SOME_ADDRESS, 1, SOME_ADDRESS);
  return commands !== null && !faults;
}
