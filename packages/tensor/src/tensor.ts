/**
 * The Tensor: a dtype, a shape and a strided view of a typed array, laid out as an ndarray is.
 */
import ndarray from 'ndarray';
import type { NdArray } from 'ndarray';
import { ARRAY_TYPES, bytesOf, type DType, type TypedArray } from './dtype.js';
import { RecordingError, ShapeError, formatShape } from './errors.js';
import { copyElements } from './loops.js';
import type { Layout, Strided, TensorType } from './op.js';
import { format } from './print.js';
import { isContiguous, rowMajorStrides, sizeOf, type Shape } from './shape.js';

/** Nested arrays of numbers, as `toArray` returns them; a scalar is a plain number. */
export type NestedArray<T = number> = T | readonly NestedArray<T>[];

/** The memory behind one or more tensors. */
export class Storage {
  /** Counts the changes made in place, so that backward can tell that a value it saved is no longer there. */
  version = 0;
  /** Whether the elements lie where they are only as long as this object is there, and the memory has not grown. */
  private lodging = false;

  /**
   * @param array null for a value that is not computed yet: one of a step that is being recorded
   * @param zeros instead of an array: so many zeros, for which memory is found when they are first looked at
   */
  constructor(
    private array: TypedArray | null,
    private zeros: { readonly dtype: DType; readonly size: number } | null = null,
  ) {}

  /** The elements. @throws RecordingError for a value of a recorded step */
  get data(): TypedArray {
    if (this.array !== null) return this.array;
    if (this.zeros === null) throw valueOfRecording();
    this.array = allocateArray(this.zeros.dtype, this.zeros.size);
    this.zeros = null;
    return this.array;
  }

  /** Whether the elements are there. */
  get known(): boolean {
    return this.array !== null || this.zeros !== null;
  }

  /** How many zeros these are, if nobody has looked at them yet; else null. */
  get untouchedZeros(): number | null {
    return this.zeros?.size ?? null;
  }

  /** Whether `data` is on a heap, which takes the memory back when nobody holds this object any more. */
  get onHeap(): boolean {
    return this.lodging;
  }

  /** A place on a heap for the same elements: the caller has copied them. */
  moveTo(array: TypedArray): void {
    this.array = array;
    this.zeros = null;
    this.lodging = true;
    keepers.set(array, this);
  }
}

/** Who holds a view of a heap's memory holds the storage that it belongs to, and with it the memory. */
const keepers = new WeakMap<TypedArray, Storage>();

function valueOfRecording(): RecordingError {
  return new RecordingError(
    'A value was read inside a step that is being recorded, where it is not computed yet (or outside, and belongs to the ' +
      'recording). Return it from the step and read it there, compute with ops alone, or run the step eagerly ' +
      '(runEagerly: true for a model).',
  );
}

/**
 * An n-dimensional array. Tensors are immutable: every op returns a new one, and views (transpose, slice, reshape …)
 * share the data of the tensor they came from. Nothing has to be disposed of.
 *
 * Make tensors with `tensor`, `zeros`, `arange` …; every op is a method too: `x.add(1).sum(0)`.
 *
 * @example
 * const x = tensor([[1, 2, 3], [4, 5, 6]]);
 * x.shape; // [2, 3]
 * x.transpose().toArray(); // [[1, 4], [2, 5], [3, 6]]
 */
export class Tensor implements Strided {
  readonly size: number;
  readonly contiguous: boolean;

  /** Not for users: `tensor(...)` makes tensors. Without strides the layout is row-major. */
  constructor(
    readonly storage: Storage,
    readonly dtype: DType,
    readonly shape: Shape,
    readonly strides: readonly number[] = rowMajorStrides(shape),
    readonly offset = 0,
  ) {
    this.size = sizeOf(shape);
    this.contiguous = isContiguous(shape, strides);
  }

  /** The elements, in an array that other tensors may share: see `Layout`. */
  get data(): TypedArray {
    return this.storage.data;
  }

  /** The number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /**
   * The same memory as an [ndarray](https://github.com/scijs/ndarray), without a copy. Treat it as read-only: a change
   * made through it is a change of this tensor that nobody is told of.
   */
  get ndarray(): NdArray<TypedArray> {
    return ndarray(this.data, [...this.shape], [...this.strides], this.offset);
  }

  /**
   * The elements in row-major order: the tensor's own array when it holds just these, else a copy. Of a weight that compiled
   * steps use it is a copy too: it stays what it was when the weight is changed.
   */
  toTypedArray(): TypedArray {
    if (this.contiguous) return this.storage.onHeap ? elementsOf(this).slice() : elementsOf(this);
    const copy = new ARRAY_TYPES[this.dtype](this.size);
    copyElements(this, {
      data: copy,
      offset: 0,
      shape: this.shape,
      strides: rowMajorStrides(this.shape),
    });
    return copy;
  }

  /** Nested arrays of numbers (0 and 1 for bool); a number for a scalar. */
  toArray(): NestedArray {
    const values = this.contiguous ? elementsOf(this) : this.toTypedArray();
    const nest = (axis: number, start: number, size: number): NestedArray => {
      if (axis === this.rank) return values[start];
      const step = size / this.shape[axis];
      return Array.from({ length: this.shape[axis] }, (_, i) =>
        nest(axis + 1, start + i * step, step),
      );
    };
    return nest(0, 0, this.size);
  }

  /** The only element as a number. @throws ShapeError when there is not exactly one */
  item(): number {
    if (this.size !== 1) {
      throw new ShapeError(
        `item: the tensor has ${this.size} elements, shape ${formatShape(this.shape)}; item() takes exactly one.`,
      );
    }
    return this.data[this.offset];
  }

  /** Printed like NumPy prints: aligned, and shortened when there are more than 1,000 elements. */
  toString(label = 'tensor', note = ''): string {
    const values = format(this, label.length + 1);
    return `${label}(${values}, shape ${formatShape(this.shape)}, ${this.dtype}${note})`;
  }

  /** What Node's console.log shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** The elements of a contiguous tensor where they lie. To be used at once: memory that is not shared moves when it grows. */
export function elementsOf({ data, offset, size }: Tensor): TypedArray {
  return offset === 0 && size === data.length ? data : data.subarray(offset, offset + size);
}

/** Small tensors are cut from slabs of this many bytes. */
const SLAB_BYTES = 32768;
const SMALL_BYTES = 4096;
/** Up to here V8 keeps a typed array's elements on its own heap, where making one is cheap. */
const ON_HEAP_BYTES = 64;
let slab = new ArrayBuffer(0);
let slabUsed = 0;

/**
 * A zeroed typed array. An ArrayBuffer of its own costs V8 about 700 ns, a view of a shared one 30 ns; a training step of
 * a small model makes dozens of small tensors, so these are cut one after another from a slab. No part of a slab is
 * used twice: when nothing points into it any more, the garbage collector takes it as a whole.
 */
export function allocateArray(dtype: DType, size: number): TypedArray {
  const Type = ARRAY_TYPES[dtype];
  const bytes = size * Type.BYTES_PER_ELEMENT;
  if (bytes <= ON_HEAP_BYTES || bytes > SMALL_BYTES) return new Type(size);
  if (slabUsed + bytes > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES);
    slabUsed = 0;
  }
  const array = new Type(slab, slabUsed, size);
  slabUsed += (bytes + 7) & ~7;
  return array;
}

/** A new row-major tensor of zeros. */
export function allocate(type: TensorType): Tensor {
  return new Tensor(
    new Storage(allocateArray(type.dtype, sizeOf(type.shape))),
    type.dtype,
    type.shape,
  );
}

/** A row-major tensor with the same elements in memory of its own. */
export function copied(x: Tensor): Tensor {
  const copy = allocate(x);
  if (x.contiguous) copy.data.set(elementsOf(x));
  else copyElements(x, copy);
  return copy;
}

/**
 * As `allocate`, but many zeros take no memory before somebody looks at them: state that is only ever used on the WebAssembly
 * heap is made there.
 */
export function allocateZeros(type: TensorType): Tensor {
  const { dtype, shape } = type;
  const size = sizeOf(shape);
  if (bytesOf({ dtype, size }) <= SMALL_BYTES) return allocate(type);
  return new Tensor(new Storage(null, { dtype, size }), dtype, shape);
}

/** A tensor with another layout of the same memory. */
export function withLayout(base: Tensor, layout: Layout): Tensor {
  return new Tensor(base.storage, base.dtype, layout.shape, layout.strides, layout.offset);
}
