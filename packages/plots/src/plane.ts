import type { Axis, GroupMark, Mark, Scale, Spec } from 'vega';
import { checkSameLength, domainOf, numbersOf, type Domain } from './data.js';
import { PlotError } from './errors.js';
import type { PlaneOptions, Series } from './picture.js';
import { COLOURS, frame, textAt } from './theme.js';

/** A rectangle with two axes of numbers, and where in it a point lies. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly xDomain: Domain;
  readonly yDomain: Domain;
}

/** Points that are joined by a line. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly label: string;
  readonly dashed: boolean;
  readonly colour: string;
}

/** The plane of the options around the data. */
export function planeOf(
  options: PlaneOptions,
  xs: readonly (readonly number[])[],
  ys: readonly (readonly number[])[],
): Plane {
  const { width = 440, height = 300 } = options;
  checkPixels({ width, height });
  return {
    width,
    height,
    xDomain: domainOf('xDomain', options.xDomain, xs),
    yDomain: domainOf('yDomain', options.yDomain, ys),
  };
}

/** Throws unless all sizes are positive. */
export function checkPixels(sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (size > 0 && Number.isFinite(size)) continue;
    throw new PlotError(`The ${name} is ${size}; expected a positive number of pixels.`);
  }
}

/** Maps (x, y) to pixels, written to a tenth: `12.3 45.6`. SVG's y grows downwards. */
export function pixels({
  width,
  height,
  xDomain,
  yDomain,
}: Plane): (x: number, y: number) => string {
  const [x0, x1] = xDomain;
  const [y0, y1] = yDomain;
  const tenth = (value: number): number => Math.round(10 * value) / 10;
  return (x, y) =>
    `${tenth((width * (x - x0)) / (x1 - x0))} ${tenth((height * (y1 - y)) / (y1 - y0))}`;
}

/** The scales x and y. */
export function scalesOf({ width, height, xDomain, yDomain }: Plane): Scale[] {
  const linear = { type: 'linear', zero: false, nice: false } as const;
  return [
    { name: 'x', ...linear, domain: [...xDomain], range: [0, width] },
    { name: 'y', ...linear, domain: [...yDomain], range: [height, 0] },
  ];
}

/** Axes with a grid; `integers` asks for whole numbers along x. */
export function axesOf(
  { width, height, xDomain }: Plane,
  { xLabel, yLabel }: Pick<PlaneOptions, 'xLabel' | 'yLabel'>,
  { integers = false } = {},
): Axis[] {
  const steps = Math.max(1, Math.floor(width / 60));
  const whole = { tickCount: Math.min(steps, Math.floor(xDomain[1] - xDomain[0])), tickMinStep: 1 };
  return [
    {
      scale: 'x',
      orient: 'bottom',
      grid: true,
      ...(xLabel !== undefined && { title: xLabel }),
      ...(integers ? { ...whole, format: 'd' } : { tickCount: steps }),
    },
    {
      scale: 'y',
      orient: 'left',
      grid: true,
      ...(yLabel !== undefined && { title: yLabel }),
      tickCount: Math.max(2, Math.floor(height / 45)),
    },
  ];
}

/** A line through points, as one path. */
export function curveMark(plane: Plane, { x, y, dashed, colour }: Curve): Mark {
  const at = pixels(plane);
  const path = x.map((value, i) => `${i === 0 ? 'M' : 'L'}${at(value, y[i])}`).join('');
  return {
    type: 'path',
    interactive: false,
    aria: false,
    encode: {
      enter: {
        path: { value: path },
        stroke: { value: colour },
        strokeWidth: { value: 2 },
        strokeJoin: { value: 'round' },
        strokeCap: { value: dashed ? 'butt' : 'round' },
        ...(dashed && { strokeDash: { value: [6, 4] } }),
      },
    },
  };
}

/** The part of the plane that lies within the axes: marks beyond it are cut off. */
export function clipped({ width, height }: Plane, marks: Mark[]): GroupMark {
  return {
    type: 'group',
    clip: true,
    aria: false,
    encode: { enter: { width: { value: width }, height: { value: height } } },
    marks,
  };
}

/** A small dot in the square from -1 to 1 that a symbol of a legend fills: dots and lines get equal places. */
const DOT = 'M.3 0A.3 .3 0 1 1 -.3 0A.3 .3 0 1 1 .3 0';

/** A legend in one row above the plane; `points` names the dots, if they have a name. */
export function legendOf(
  curves: readonly Curve[],
  points = { label: '', colour: '' },
): Pick<Spec, 'scales' | 'legends'> {
  const dots = points.label === '' ? [] : [{ ...points, dashed: false }];
  const named = [...dots, ...curves.filter(({ label }) => label !== '')];
  if (named.length === 0) return { scales: [], legends: [] };
  // By number: two entries may have the same name.
  const domain = named.map((_, i) => i);
  const isDot = (i: number): boolean => i < dots.length;
  const scale = (name: string, range: (string | number[])[]): Scale => ({
    name,
    type: 'ordinal',
    domain,
    range,
  });
  return {
    scales: [
      scale(
        'colour',
        named.map(({ colour }) => colour),
      ),
      scale(
        'fill',
        named.map(({ colour }, i) => (isDot(i) ? colour : 'transparent')),
      ),
      scale(
        'dash',
        named.map(({ dashed }) => (dashed ? [6, 4] : [1, 0])),
      ),
      scale(
        'shape',
        domain.map((i) => (isDot(i) ? DOT : 'stroke')),
      ),
    ],
    legends: [
      {
        stroke: 'colour',
        fill: 'fill',
        strokeDash: 'dash',
        shape: 'shape',
        orient: 'top',
        direction: 'horizontal',
        offset: 6,
        padding: 0,
        symbolSize: 500,
        symbolStrokeWidth: 2,
        encode: {
          labels: {
            update: {
              text: { signal: textAt(named.map(({ label }) => label)) },
            },
          },
        },
      },
    ],
  };
}

/** The whole picture of one plane. */
export function planeSpec(
  plane: Plane,
  options: PlaneOptions,
  marks: Mark[],
  extra: Pick<Spec, 'scales' | 'legends'> = {},
): Spec {
  return {
    ...frame(options.title ?? '', plane.width, plane.height),
    scales: [...scalesOf(plane), ...(extra.scales ?? [])],
    axes: axesOf(plane, options),
    legends: extra.legends ?? [],
    marks: [clipped(plane, marks)],
  };
}

/** The colour of the series with this number; they repeat after ten. */
export function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length];
}

/** Series as checked curves; their colours begin with that of number `firstColour`. */
export function curvesOf(what: string, series: readonly Series[], firstColour = 0): Curve[] {
  return series.map(({ x, y, label = '', dashed = false, colour }, i) => {
    const name = series.length > 1 || what.endsWith('lines') ? `${what}[${i}]` : what;
    const curve = {
      x: numbersOf(`${name}: x`, x),
      y: numbersOf(`${name}: y`, y),
      label,
      dashed,
      colour: colour ?? colourOf(firstColour + i),
    };
    checkSameLength(name, ['x', curve.x.length], ['y', curve.y.length]);
    return curve;
  });
}
