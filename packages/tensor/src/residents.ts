/**
 * Which tensors' memory lies on the WebAssembly heap: the parameters and states of recorded steps move there once, and eager
 * ops go on to use them where they are.
 */
import { bytesOf, type DType } from './dtype.js';
import type { Heap } from './kernels/wasm/heap.js';
import type { Storage } from './tensor.js';

interface Place {
  readonly dtype: DType;
  readonly address: number;
  readonly size: number;
}

/** The storages on a heap. */
export class Residents {
  private readonly places = new WeakMap<Storage, Place>();
  /** Those whose views must be made anew when memory that is not shared grows. */
  private moved: WeakRef<Storage>[] = [];

  constructor(
    private readonly heap: Heap,
    private readonly shared: boolean,
  ) {
    if (!shared) heap.onGrowth(() => this.renew());
  }

  /** The address of a storage's first element; it moves to the heap if it is not there yet. */
  settle(storage: Storage, dtype: DType): number {
    const known = this.places.get(storage);
    if (known !== undefined) return known.address;
    const zeros = storage.untouchedZeros;
    const size = zeros ?? storage.data.length;
    const bytes = bytesOf({ dtype, size });
    const { address } =
      zeros === null
        ? this.heap.allocateFor(storage, bytes)
        : this.heap.allocateZerosFor(storage, bytes);
    // Allocating may have grown the memory and so renewed `data`: it is read here.
    if (zeros === null) this.heap.view(dtype, address, size).set(storage.data);
    this.place(storage, { dtype, address, size });
    return address;
  }

  /** Says that a storage's elements lie at this place. */
  place(storage: Storage, place: Place): void {
    this.places.set(storage, place);
    storage.moveTo(this.heap.view(place.dtype, place.address, place.size));
    if (!this.shared) this.moved.push(new WeakRef(storage));
  }

  private renew(): void {
    this.moved = this.moved.filter((reference) => {
      const storage = reference.deref();
      const place = storage && this.places.get(storage);
      if (storage === undefined || place === undefined) return false;
      storage.moveTo(this.heap.view(place.dtype, place.address, place.size));
      return true;
    });
  }
}
