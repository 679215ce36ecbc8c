import type { Numbers } from './data.js';

/** A picture that has been described and is drawn when asked for. */
export interface Picture {
  /** The title, or '' without one. */
  readonly title: string;

  /** The picture as an SVG document: text stays text, in the reader's sans-serif font. */
  toSVG(): Promise<string>;

  /**
   * The picture as a PNG file, its text in DejaVu Sans. In Node only: a page has `mount` and `toSVG`.
   *
   * @param options.scale pixels for each unit of the SVG. Default: 2, for screens of high density.
   * @throws PlotError in a browser; a scale that is not positive, or makes the picture vanish or too large (2²⁶ pixels)
   */
  toPNG(options?: { scale?: number }): Promise<Uint8Array>;

  /** A page of its own that needs nothing from elsewhere: the SVG is in it. */
  toHTML(): Promise<string>;

  /**
   * Writes the picture to a file, as its ending says: `.svg`, `.png` or `.html`. Folders that are missing are made. The
   * file is written under another name and then renamed, so that nobody sees a part of it. In Node only.
   *
   * @returns the path
   * @throws PlotError another ending, in a browser, or when the file cannot be written
   */
  save(path: string): Promise<string>;

  /** Puts the picture into an element of a page, in the place of what was there. */
  mount(element: Element): Promise<void>;
}

/** Options that the pictures with axes share. */
export interface PlaneOptions {
  /** Stands above the picture. Default: none. */
  title?: string;
  /** Stands below the x axis. */
  xLabel?: string;
  /** Stands beside the y axis. */
  yLabel?: string;
  /** Width of the plane in pixels, axes not counted. Default: 440. */
  width?: number;
  /** Height of the plane in pixels, axes not counted. Default: 300. */
  height?: number;
  /** Ends of the x axis; what lies beyond is cut off. Default: those of the data and 4% more. */
  xDomain?: readonly [number, number];
  /** Ends of the y axis; what lies beyond is cut off. Default: those of the data and 4% more. */
  yDomain?: readonly [number, number];
}

/** How dots look. */
export interface PointOptions {
  /** Diameter of a dot in pixels. Default: 6; fewer for more than 1,000 points, down to 3. */
  size?: number;
  /** From 0, invisible, to 1, solid. Default: 0.7. */
  opacity?: number;
}

/** Points that are joined by a line, in the order in which they come. */
export interface Series {
  x: Numbers;
  /** As many numbers as `x`. */
  y: Numbers;
  /** What the line is, for the legend. Default: none. */
  label?: string;
  /** Default: false. */
  dashed?: boolean;
  /** A CSS colour. Default: one that no other line of the picture has, up to ten lines. */
  colour?: string;
}
