/**
 * A recording in memory: where each of its values lies on the heap, and the commands that compute them there.
 */
import type { Engine } from './backend.js';
import { ARRAY_TYPES } from './dtype.js';
import { ValueError } from './errors.js';
import type { Block } from './kernels/wasm/heap.js';
import type { Command } from './kernels/wasm/kernel.js';
import { commandBytes, writeCommands } from './kernels/wasm/machine.js';
import { SOME_ADDRESS, lowerCall, type AddressOf, type Lowered } from './lower.js';
import { layOut, type MemoryLayout } from './memory-layout.js';
import { operandsOf, type RecordedEvent, type Recording } from './recording.js';
import { Storage, Tensor, withLayout } from './tensor.js';

/** Belongs to one program; its memory is free again when nobody holds it any more. */
export class Placement {
  /** The commands of each event; null for an effect. */
  readonly lowered: readonly (Lowered | null)[];
  /** Where the list of all commands begins. */
  readonly list: number;
  /** Whether any command is worth more than one thread. */
  readonly parallel: boolean;
  private readonly layout: MemoryLayout;
  /** The arena, and behind it the commands. */
  private readonly block: Block;
  /** What stands here for the values of the recording. */
  private readonly placed = new Map<Storage, Storage>();
  /** What lies on the heap outside the arena: it must live as long as the program. */
  private readonly held = new Set<Storage>();

  /**
   * @param threads for how many the kernels have scratch memory
   * @throws RecordingError when a value belongs to another recording; OutOfMemoryError when the heap is full
   */
  constructor(
    private readonly engine: Engine,
    recording: Recording,
    threads: number,
  ) {
    const { machine, team } = engine;
    const { events } = recording;
    // Lowered twice: first to see how much scratch and how many commands there are, then with the addresses.
    const someAddress = (): number => SOME_ADDRESS;
    const trial = lowerAll(events, threads, someAddress, someAddress);
    const trialList = commandsOf(trial);
    // Threads take as long to start as kernels to be written and compiled.
    if (trialList.some(({ parallel }) => parallel)) team.expect();
    const listBytes = commandBytes(trialList);
    this.layout = layOut(
      recording,
      trial.map((one) => one?.scratchBytes ?? 0),
    );
    this.settleCaptured(events);
    this.block = machine.heap.allocateFor(this, this.layout.bytes + listBytes);
    const { address } = this.block;
    const { scratch, bytes } = this.layout;
    this.lowered = lowerAll(events, threads, this.addressOf, (event) => address + scratch[event]);
    const commands = commandsOf(this.lowered);
    if (commandBytes(commands) !== listBytes) {
      throw new ValueError('program: a lowering depends on addresses; it must not.');
    }
    this.list = writeCommands(machine, commands, address + bytes).from;
    this.parallel = commands.some(({ parallel }) => parallel);
  }

  /** The bytes of the values, and of the kernels' scratch memory, that are needed during a run only. */
  get arenaBytes(): number {
    return this.layout.bytes;
  }

  /** The tensor that stands for one of the recording: what is captured stands for itself. */
  tensorFor(x: Tensor): Tensor {
    const { dtype, shape, storage } = x;
    const address = this.addressOf(storage, dtype);
    if (storage.known) return x;
    let here = this.placed.get(storage);
    if (here === undefined) {
      here = new Storage(null);
      const bytes = this.layout.places.get(storage)?.bytes ?? 0;
      const size = bytes / ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
      this.engine.residents.place(here, { dtype, address, size });
      this.placed.set(storage, here);
    }
    return withLayout(new Tensor(here, dtype, shape), x);
  }

  /** Gives the memory back at once, and not only when nobody holds it any more. */
  release(): void {
    this.engine.machine.heap.releaseOf(this, this.block);
  }

  private readonly addressOf: AddressOf = (storage, dtype) => {
    const place = this.layout.places.get(storage);
    if (place !== undefined) return this.block.address + place.offset;
    this.held.add(storage);
    return this.engine.residents.settle(storage, dtype);
  };

  /** What is captured comes to the heap before the arena: a program that does not fit leaves nothing behind. */
  private settleCaptured(events: readonly RecordedEvent[]): void {
    for (const event of events) {
      for (const { storage, dtype } of operandsOf(event)) {
        if (storage.known) this.engine.residents.settle(storage, dtype);
      }
    }
  }
}

function lowerAll(
  events: readonly RecordedEvent[],
  threads: number,
  addressOf: AddressOf,
  scratchOf: (event: number) => number,
): (Lowered | null)[] {
  return events.map(({ call }, at) => call && lowerCall(call, addressOf, threads, scratchOf(at)));
}

function commandsOf(lowered: readonly (Lowered | null)[]): Command[] {
  return lowered.flatMap((one) => one?.commands ?? []);
}
