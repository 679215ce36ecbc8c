/** Whether two tensors hold the same bits: NaN is itself, and −0 is not 0. */
import type { Tensor } from '@tapegrad/tensor';

function bytesOf(x: Tensor): Buffer {
  const { buffer, byteOffset, byteLength } = x.toTypedArray();
  return Buffer.from(buffer, byteOffset, byteLength);
}

export function sameBits(a: Tensor, b: Tensor): boolean {
  return a.dtype === b.dtype && bytesOf(a).equals(bytesOf(b));
}
