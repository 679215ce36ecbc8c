/**
 * From a recorded call to the kernel calls that compute it.
 */
import { ARRAY_TYPES, type DType } from './dtype.js';
import { lowerings } from './kernels/wasm/families.js';
import { aligned } from './kernels/wasm/heap.js';
import type { Command, Epilogue, LoweringCall, Operand } from './kernels/wasm/kernel.js';
import type { RecordedCall } from './recording.js';
import { rowMajorStrides } from './shape.js';
import type { Storage, Tensor } from './tensor.js';

/** Where a storage's first element lies, in bytes. */
export type AddressOf = (storage: Storage, dtype: DType) => number;

/** The commands of a call, or null: then its TypeScript kernel computes it. */
export interface Lowered {
  readonly commands: readonly Command[] | null;
  readonly scratchBytes: number;
  /** Whether a command may note an error at `FAULT`. */
  readonly faults: boolean;
}

/** Stands for addresses that are not known yet. It is not 0, which kernels take for "none". */
export const SOME_ADDRESS = 1024;

/** Who will run the commands, and where. */
export interface LoweringPlace {
  readonly threads: number;
  /** The address of the memory that every call may use while it runs. */
  readonly scratch: number;
  /** Whether somebody looks at `FAULT` after each command that may note an error there. */
  readonly looksForFaults: boolean;
}

/** Asks an op's lowering for commands. Ops without one have none. */
export function lowerOp(
  name: string,
  { inputs, outputs, attrs, epilogue }: LoweringCall,
  { threads, scratch, looksForFaults }: LoweringPlace,
): Lowered {
  const lower = lowerings.get(name);
  let scratchBytes = 0;
  let faults = false;
  const commands =
    lower?.(
      // The table of lowerings is typed by op: these are the attributes of this one.
      { inputs, outputs, attrs: attrs as never, epilogue },
      {
        threads,
        scratch: (bytes) => {
          const address = scratch + scratchBytes;
          scratchBytes += aligned(bytes);
          return address;
        },
        mayFault: () => (faults = looksForFaults),
      },
    ) ?? null;
  return { commands, scratchBytes, faults };
}

/** As `lowerOp`, for a call of a recording. */
export function lowerCall(
  { spec, inputs, outputs, attrs, epilogue }: RecordedCall,
  addressOf: AddressOf,
  threads: number,
  scratch: number,
): Lowered {
  const operand = (x: Tensor): Operand => operandOf(x, addressOf);
  const placed = epilogue === null ? null : placedEpilogue(epilogue, operand);
  const call = {
    inputs: inputs.map(operand),
    outputs: outputs.map(operand),
    attrs,
    epilogue: placed,
  };
  return lowerOp(spec.name, call, { threads, scratch, looksForFaults: true });
}

function placedEpilogue(
  { bias, activation }: NonNullable<RecordedCall['epilogue']>,
  operand: (x: Tensor) => Operand,
): Epilogue {
  return { bias: bias === null ? null : operand(bias), activation };
}

function operandOf(x: Tensor, addressOf: AddressOf): Operand {
  const { dtype, shape, size, contiguous, offset } = x;
  // An axis of size 1 may have any stride; where all is contiguous kernels may count on those of the sizes.
  const strides = contiguous ? rowMajorStrides(shape) : x.strides;
  const address = addressOf(x.storage, dtype) + offset * ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
  return { dtype, shape, strides, size, contiguous, address };
}
