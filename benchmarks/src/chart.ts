/**
 * The results as a picture: for each row how many times as long as tapegrad every other engine takes.
 */
import type { Spec } from 'vega';
import { figure, svgOf } from './figure.js';
import type { PeerSpec } from './peers.js';
import type { Results } from './runner.js';

/** The one that the others are compared with. */
const OURS = 'tapegrad';
const ROW_HEIGHT = 22;

interface Point {
  readonly row: string;
  readonly peer: string;
  readonly ratio: number;
}

function pointsOf(measured: Readonly<Record<string, Results>>): Point[] {
  return Object.entries(measured).flatMap(([group, rows]) =>
    Object.entries(rows).flatMap(([name, row]) => {
      const ours = row[OURS];
      if (ours === undefined) return [];
      const label = group === 'programs' ? name : `${group} ${name}`;
      return Object.entries(row).flatMap(([peer, { ms }]) =>
        peer === OURS ? [] : [{ row: label, peer, ratio: ms / ours.ms }],
      );
    }),
  );
}

function specOf(points: readonly Point[], peers: readonly string[]): Spec {
  const rows = [...new Set(points.map(({ row }) => row))];
  const title = `Time of each engine, as a multiple of ${OURS}'s`;
  const subtitle = `right of the line ${OURS} is faster, left of it slower`;
  return figure(title, subtitle, {
    height: ROW_HEIGHT * rows.length,
    data: [{ name: 'points', values: [...points] }],
    scales: [
      {
        name: 'x',
        type: 'log',
        domain: { data: 'points', field: 'ratio' },
        domainMin: Math.min(0.5, ...points.map(({ ratio }) => ratio)),
        domainMax: Math.max(2, ...points.map(({ ratio }) => ratio)),
        nice: true,
        range: 'width',
      },
      { name: 'y', type: 'point', domain: rows, range: 'height', padding: 0.5 },
      { name: 'colour', type: 'ordinal', domain: [...peers], range: { scheme: 'tableau10' } },
      {
        name: 'shape',
        type: 'ordinal',
        domain: [...peers],
        range: ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'],
      },
    ],
    axes: [
      {
        scale: 'x',
        orient: 'bottom',
        grid: true,
        title: 'times as long',
        tickCount: 6,
        format: '~g',
      },
      {
        scale: 'y',
        orient: 'left',
        grid: true,
        ticks: false,
        domain: false,
        labelPadding: 8,
        labelLimit: 400,
      },
    ],
    legends: [{ fill: 'colour', shape: 'shape', orient: 'right' }],
    marks: [
      {
        type: 'rule',
        encode: {
          enter: {
            x: { scale: 'x', value: 1 },
            y: { value: 0 },
            y2: { field: { group: 'height' } },
            stroke: { value: '#333' },
            strokeWidth: { value: 1.5 },
          },
        },
      },
      {
        type: 'symbol',
        from: { data: 'points' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'ratio' },
            y: { scale: 'y', field: 'row' },
            fill: { scale: 'colour', field: 'peer' },
            shape: { scale: 'shape', field: 'peer' },
            size: { value: 70 },
            fillOpacity: { value: 0.85 },
          },
        },
      },
    ],
  });
}

/** An SVG; null when there is nothing to compare. */
export async function ratioChart(
  measured: Readonly<Record<string, Results>>,
  peers: readonly PeerSpec[],
): Promise<string | null> {
  const points = pointsOf(measured);
  if (points.length === 0) return null;
  const names = peers
    .map(({ name }) => name)
    .filter((name) => points.some(({ peer }) => peer === name));
  return svgOf(specOf(points, names));
}
