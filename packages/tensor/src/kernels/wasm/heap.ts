/**
 * The memory of the WebAssembly kernels, and who has which part of it. Blocks are given back when the garbage collector
 * finds that nobody holds their owner any more.
 */
import { ValueError } from '../../errors.js';
import { ARRAY_TYPES, type DType, type TypedArray } from '../../dtype.js';
import { objectsLimit } from '../../platform.js';

const PAGE_BYTES = 65536;
/** What systems give memory in: 4 KiB, or a multiple of it. */
const SYSTEM_PAGE_BYTES = 4096;
/** Blocks begin on cache lines. */
const ALIGNMENT = 64;

export const roundUp = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

/** The bytes that so many take when the next value is to begin on a cache line. */
export const aligned = (bytes: number): number => roundUp(bytes, ALIGNMENT);

/** 2 GiB: addresses stay positive as 32-bit integers, so that kernels may compare them as they are. */
export const MAXIMUM_PAGES = 32768;

/** A part of the memory. */
export interface Block {
  readonly address: number;
  readonly bytes: number;
}

/** More memory was asked for than WebAssembly has. */
export class OutOfMemoryError extends ValueError {
  static override readonly name: string = 'OutOfMemoryError';
}

/** A first-fit allocator on a growing memory. */
export class Heap {
  /** Free parts in the order of their addresses; neighbours are always joined. */
  private free: { address: number; bytes: number }[] = [];
  /** From here on nothing has ever been given away. */
  private end: number;
  private readonly finalizer = new FinalizationRegistry<Block>((block) => this.release(block));
  private readonly counterweights = new WeakMap<object, ArrayBuffer>();
  /** The owners of heavy blocks, to see whether they are gone. */
  private readonly heavy = new Map<Block, WeakRef<object>>();
  private readonly grown: (() => void)[] = [];
  private used = 0;

  /**
   * @param base the first address that may be given away
   * @param maximumPages the maximum of the memory
   */
  constructor(
    readonly memory: WebAssembly.Memory,
    base: number,
    private readonly maximumPages = MAXIMUM_PAGES,
  ) {
    this.end = aligned(base);
  }

  /** How many bytes are in use. */
  get usedBytes(): number {
    return this.used;
  }

  /**
   * A block that belongs to `owner` and is free again some time after `owner` is gone, at the latest when the memory is full.
   *
   * @throws OutOfMemoryError when it does not fit
   */
  allocateFor(owner: object, bytes: number): Block {
    const block = this.allocateOrReclaim(bytes);
    this.finalizer.register(owner, block, block);
    if (block.bytes < HEAVY_BYTES) return block;
    this.heavy.set(block, new WeakRef(owner));
    const weight = untouchedBuffer(block.bytes);
    if (weight !== null) this.counterweights.set(owner, weight);
    return block;
  }

  /** Gives a block of `allocateFor` back while its owner is there, who is not to use it any more. */
  releaseOf(owner: object, block: Block): void {
    this.finalizer.unregister(block);
    this.counterweights.delete(owner);
    this.release(block);
  }

  /** As `allocateFor`, with zeros. Memory that was never given away has them. */
  allocateZerosFor(owner: object, bytes: number): Block {
    const { end } = this;
    const block = this.allocateFor(owner, bytes);
    const view = new Uint8Array(this.memory.buffer, block.address, block.bytes);
    const used = Math.min(Math.max(end - block.address, 0), block.bytes);
    view.fill(0, 0, used);
    // A page of the system's that is read before it is written costs it two interruptions, and this only one.
    for (let at = used; at < view.length; at += SYSTEM_PAGE_BYTES) view[at] = 0;
    return block;
  }

  /** A block, with whatever was there before, to be given back with `release`. @throws OutOfMemoryError when it does not fit */
  allocate(bytes: number): Block {
    const size = aligned(Math.max(bytes, 1));
    const block = this.takeFree(size) ?? this.takeNew(size);
    this.used += size;
    return block;
  }

  /** Gives a block back. */
  release(block: Block): void {
    const { address, bytes } = block;
    this.heavy.delete(block);
    this.used -= bytes;
    let i = this.free.findIndex((part) => part.address > address);
    if (i < 0) i = this.free.length;
    this.free.splice(i, 0, { address, bytes });
    this.join(i);
    if (i > 0) this.join(i - 1);
  }

  /** A view of the memory. It is to be made anew after the memory has grown (see `onGrowth`). */
  view(dtype: DType, address: number, size: number): TypedArray {
    return new ARRAY_TYPES[dtype](this.memory.buffer, address, size);
  }

  /** Calls back each time the memory has grown: without shared memory all views are empty then. */
  onGrowth(callback: () => void): void {
    this.grown.push(callback);
  }

  /**
   * As `allocate`. Where it does not fit, the heavy blocks that nobody holds any more make room: finalizers run when the program
   * waits, and only some time after the garbage collector has found their owners gone.
   */
  private allocateOrReclaim(bytes: number): Block {
    try {
      return this.allocate(bytes);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || this.heavy.size === 0) throw error;
      provokeCollection();
      for (const [block, owner] of this.heavy) {
        if (owner.deref() === undefined && this.finalizer.unregister(block)) this.release(block);
      }
      return this.allocate(bytes);
    }
  }

  /** Joins part i with the next one if they touch. */
  private join(i: number): void {
    const next = this.free[i + 1];
    if (next === undefined || this.free[i].address + this.free[i].bytes !== next.address) return;
    this.free[i].bytes += next.bytes;
    this.free.splice(i + 1, 1);
  }

  private takeFree(bytes: number): Block | null {
    const i = this.free.findIndex((part) => part.bytes >= bytes);
    if (i < 0) return null;
    const part = this.free[i];
    const block = { address: part.address, bytes };
    if (part.bytes === bytes) this.free.splice(i, 1);
    else {
      part.address += bytes;
      part.bytes -= bytes;
    }
    return block;
  }

  private takeNew(bytes: number): Block {
    const last = this.free[this.free.length - 1];
    // A free part at the end is the beginning of the new block.
    const address =
      last !== undefined && last.address + last.bytes === this.end ? last.address : this.end;
    const missing = address + bytes - this.memory.buffer.byteLength;
    if (missing > 0) this.grow(missing, bytes);
    if (address !== this.end) this.free.pop();
    this.end = address + bytes;
    return { address, bytes };
  }

  private grow(missing: number, asked: number): void {
    const pages = Math.ceil(missing / PAGE_BYTES);
    // Growing in larger steps costs nothing: pages that are not touched take no memory.
    const present = this.memory.buffer.byteLength / PAGE_BYTES;
    const left = this.maximumPages - present;
    const generous = Math.min(Math.max(pages, present >> 1), left);
    for (const step of pages <= left ? [generous, pages] : []) {
      try {
        this.memory.grow(step);
        for (const callback of this.grown) callback();
        return;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
    throw new OutOfMemoryError(
      `heap: ${mebibytes(asked)} were asked for; ${mebibytes(this.used)} are in use and ` +
        `WebAssembly gives at most ${mebibytes(this.maximumPages * PAGE_BYTES)}. Use a smaller batch or model, or ` +
        `setBackend('js').`,
    );
  }
}

/** From this size on a block is heavy: its owner has a counterweight, memory that is none but in the garbage collector's books. */
const HEAVY_BYTES = 1 << 20;

/**
 * Memory of this size that is never touched, so that the system gives none. The garbage collector does not see the memory of
 * WebAssembly, but it counts this: programs that nobody holds any more would fill the heap while it finds nothing to do. Null where
 * there are no resizable buffers, whose pages are taken from the system only as they are written to.
 */
function untouchedBuffer(bytes: number): ArrayBuffer | null {
  if (!('resizable' in ArrayBuffer.prototype)) return null;
  const Resizable: new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer =
    ArrayBuffer;
  try {
    return new Resizable(bytes, { maxByteLength: bytes });
  } catch {
    // Where addresses are scarce it is not worth an error.
    return null;
  }
}

/**
 * Has the garbage collector look through everything now. V8 does when there are more new buffers than half of what its own heap may
 * take (measured on V8 11 to 13, with heaps of 0.5 to 40 GB).
 */
function provokeCollection(): void {
  const limit = objectsLimit();
  const step = 64 * 2 ** 20;
  for (let bytes = 0; bytes < limit; bytes += step) untouchedBuffer(step);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
