/** Principal component analysis from scratch, for lesson 8. */
import { Generator, ops, type Tensor } from 'tapegrad';

export interface PrincipalComponents {
  /** The mean of the rows, [features]. */
  mean: Tensor;
  /** Directions of length 1 at right angles, those of the largest variance first: float64 [count, features]. */
  axes: Tensor;
  /** The variance along each of them. */
  variances: number[];
  /** The variance along all directions together. */
  totalVariance: number;
}

/**
 * The directions in which rows of numbers vary most (Pearson 1901): the first eigenvectors of their covariance matrix.
 * Which way along its line a direction points means nothing.
 *
 * @param x [n, features]
 */
export function principalComponents(x: Tensor, count: number): PrincipalComponents {
  const [n, features] = x.shape;
  const mean = x.mean(0);
  const centred = x.sub(mean);
  const covariance = centred.transpose().matmul(centred).div(n).cast('float64');
  const axes: Tensor[] = [];
  const variances: number[] = [];
  for (let k = 0; k < count; k++) {
    // Power iteration: any vector multiplied by C again and again turns towards the eigenvector that C stretches most,
    // by a factor of λ₂/λ₁ closer each time. Kept at right angles to the axes found before, it turns to the next one.
    let v = new Generator(k).normal([features], { dtype: 'float64' });
    for (let step = 0; step < 1000; step++) {
      let next = covariance.matmul(v);
      for (const axis of axes) next = next.sub(axis.mul(axis.dot(next)));
      next = next.div(next.norm());
      const moved = next.sub(v).norm().item();
      v = next;
      if (moved < 1e-12) break;
    }
    axes.push(v);
    variances.push(v.dot(covariance.matmul(v)).item());
  }
  const totalVariance = centred.square().sum(1).mean().item();
  return { mean, axes: ops.stack(axes).value, variances, totalVariance };
}

/**
 * How often the nearest neighbour of a point of the plane has the same label: 1 where the clouds of all labels lie apart,
 * 0.1 where ten of them are mixed.
 *
 * @param points [n, 2]
 * @param labels [n]
 */
export function neighbourAgreement(points: Tensor, labels: Tensor): number {
  const at = points.toTypedArray();
  const label = labels.toTypedArray();
  let same = 0;
  for (let i = 0; i < label.length; i++) {
    let [nearest, smallest] = [-1, Infinity];
    for (let j = 0; j < label.length; j++) {
      const [dx, dy] = [at[2 * i] - at[2 * j], at[2 * i + 1] - at[2 * j + 1]];
      const distance = dx * dx + dy * dy;
      if (j !== i && distance < smallest) [nearest, smallest] = [j, distance];
    }
    if (label[nearest] === label[i]) same++;
  }
  return same / label.length;
}
