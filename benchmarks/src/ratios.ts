/**
 * What the times mean: tapegrad's ways of running beside the others.
 */
import type { PeerSpec } from './peers.js';
import type { Result } from './runner.js';

/** One of tapegrad's ways of running on one row. */
export interface Ratio {
  /** How many times as fast as the fastest other JavaScript engine that could do the row. */
  readonly timesBestJavaScript: number | null;
  /** Its time as a share of PyTorch's. */
  readonly shareOfTorch: number | null;
}

export interface RowRatios {
  readonly bestJavaScript: string | null;
  /** By name of the peer. */
  readonly ratios: Readonly<Record<string, Ratio>>;
}

export function ratiosOf(
  row: Readonly<Record<string, Result>>,
  peers: readonly PeerSpec[],
): RowRatios {
  const measured = (family: PeerSpec['family']): string[] =>
    peers.filter((peer) => peer.family === family && peer.name in row).map(({ name }) => name);
  const [best] = measured('javascript').sort((a, b) => row[a].ms - row[b].ms);
  const torch: Result | undefined = row.torch;
  return {
    bestJavaScript: best ?? null,
    ratios: Object.fromEntries(
      measured('tapegrad').map((name) => [
        name,
        {
          timesBestJavaScript: best === undefined ? null : row[best].ms / row[name].ms,
          shareOfTorch: torch === undefined ? null : row[name].ms / torch.ms,
        },
      ]),
    ),
  };
}
