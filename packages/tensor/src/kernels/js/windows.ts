/**
 * Where a sliding window stands: the index arithmetic that convolution and pooling share.
 *
 * Along one axis the window has `window` taps, `dilation` apart, and moves by `stride` from one output to the next. The first
 * window begins `pad` places before the data. Tap u of output i therefore lies on element
 *
 *     h(i, u) = i·stride + u·dilation − pad        an element if 0 ≤ h < size, else padding, which counts as 0
 *
 * For size 6, window 3, stride 2, dilation 1 and 'same' padding (outputs ⌈6/2⌉ = 3, one place of padding, at the end, so
 * pad = 0; the start gets the smaller half):
 *
 *     data          0   1   2   3   4   5   ·
 *     output 0      u0  u1  u2
 *     output 1              u0  u1  u2
 *     output 2                      u0  u1  u2       u2 lies on h(2, 2) = 6: padding
 *
 * Read backwards: the outputs i with 0 ≤ h(i, u) < size are those from ⌈(pad − u·dilation) / stride⌉ up to but without
 * ⌈(pad − u·dilation + size) / stride⌉. Loops use these bounds, so that no element is tested for padding one by one.
 *
 * Data with one axis (time, say) is data with two of which the first has size 1.
 */
export interface Windows {
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly windowHeight: number;
  readonly windowWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
}

/**
 * ⌈from / step⌉, kept between low and high: the first index i with i·step ≥ from, as the bound of a loop. `| 0` tells V8 that it is
 * a whole number; otherwise every index that is worked out from it would be a float.
 */
export function firstIndex(from: number, step: number, low: number, high: number): number {
  const i = Math.ceil(from / step) | 0;
  return i < low ? low : i > high ? high : i;
}
