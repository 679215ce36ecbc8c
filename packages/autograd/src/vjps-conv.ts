/** Gradient rules of convolution and pooling. */
import type { RuleTable } from './rules.js';

/** One row for each op: g is the cotangent ∂L/∂out, the result ∂L/∂input. See vjps.ts. */
export const convVjps = {
  // conv, convTranspose and convKernelGradient are the derivatives of one trilinear form Σ g·conv(x, kernel), for g, x and kernel.
  conv: {
    saves: ['x', 'kernel'],
    x: (g, { kernel }, { attrs, types }) =>
      g.convTranspose(kernel, { ...attrs, outputSize: spaceOf(types.x.shape, attrs.dataFormat) }),
    kernel: (g, { x }, { attrs, types }) =>
      x.convKernelGradient(g, { ...attrs, kernelSize: types.kernel.shape.slice(0, -2) }),
  },
  convTranspose: {
    saves: ['x', 'kernel'],
    x: (g, { kernel }, { attrs: { outputSize: _size, ...attrs } }) => g.conv(kernel, attrs),
    kernel: (g, { x }, { attrs: { outputSize: _size, ...attrs }, types }) =>
      g.convKernelGradient(x, { ...attrs, kernelSize: types.kernel.shape.slice(0, -2) }),
  },
  convKernelGradient: {
    saves: ['x', 'cotangent'],
    x: (g, { cotangent }, { attrs: { kernelSize: _size, ...attrs }, types }) =>
      cotangent.convTranspose(g, {
        ...attrs,
        outputSize: spaceOf(types.x.shape, attrs.dataFormat),
      }),
    cotangent: (g, { x }, { attrs: { kernelSize: _size, ...attrs } }) => x.conv(g, attrs),
  },

  // Each maximum's gradient goes back to where the maximum came from.
  maxPool: {
    saves: ['out'],
    x: ([g], { out: [, indices] }, { types }) => {
      const size = types.x.shape.reduce((n, s) => n * s, 1);
      return g
        .reshape([g.size])
        .indexAdd(indices.reshape([g.size]), { size })
        .reshape(types.x.shape);
    },
  },
  averagePool: {
    saves: [],
    x: (g, _saved, { attrs, types }) =>
      g.averagePoolTranspose({ ...attrs, size: spaceOf(types.x.shape, attrs.dataFormat) }),
  },
  averagePoolTranspose: {
    saves: [],
    x: (g, _saved, { attrs: { size: _size, ...attrs } }) => g.averagePool(attrs),
  },
} satisfies Partial<RuleTable>;

/** The axes of space of a shape. */
function spaceOf(shape: readonly number[], format = 'channelsLast'): readonly number[] {
  return format === 'channelsFirst' ? shape.slice(2) : shape.slice(1, -1);
}
