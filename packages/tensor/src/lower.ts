/**
 * From a recorded call to the kernel calls that compute it.
 */
import { ARRAY_TYPES, type DType } from './dtype.js';
import { lowerings } from './kernels/wasm/families.js';
import type { Command, Epilogue, Operand } from './kernels/wasm/kernel.js';
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

const ALIGNMENT = 64;

/** Stands for addresses that are not known yet. It is not 0, which kernels take for "none". */
export const SOME_ADDRESS = 1024;

/**
 * Asks the op's lowering for commands.
 *
 * @param scratch the address of the memory that every call may use while it runs
 */
export function lowerCall(
  { spec, inputs, outputs, attrs, epilogue }: RecordedCall,
  addressOf: AddressOf,
  threads: number,
  scratch: number,
): Lowered {
  const lower = lowerings.get(spec.name);
  if (lower === undefined) return { commands: null, scratchBytes: 0, faults: false };
  const operand = (x: Tensor): Operand => operandOf(x, addressOf);
  let scratchBytes = 0;
  let faults = false;
  const commands = lower(
    {
      inputs: inputs.map(operand),
      outputs: outputs.map(operand),
      // The table of lowerings is typed by op: these are the attributes of this one.
      attrs: attrs as never,
      epilogue: epilogue === null ? null : placedEpilogue(epilogue, operand),
    },
    {
      threads,
      scratch: (bytes) => {
        const address = scratch + scratchBytes;
        scratchBytes += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
        return address;
      },
      mayFault: () => (faults = true),
    },
  );
  return { commands, scratchBytes, faults };
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
