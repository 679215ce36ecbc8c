import { escapeHTML, inline, page, parseSVG, pictureOf } from './drawing.js';
import { PlotError } from './errors.js';
import type { Picture } from './picture.js';

/** Options of `frames`. */
export interface FramesOptions {
  /** Title of the page. Default: that of the first picture. */
  title?: string;
  /** What stands beside the slider at each frame, such as 'step 10'. Default: their numbers, from 1. */
  captions?: readonly string[];
  /** Frames each second while it plays. Default: 12. */
  fps?: number;
}

/**
 * Pictures that follow each other, with a slider and a button to play: how a curve moved during training. `toSVG` and
 * `toPNG` give the last one. The page holds each frame whole, some 6 kB for a curve, so take every tenth step rather than all.
 *
 * @throws PlotError no pictures, other numbers of captions than of pictures
 *
 * @example
 * const steps = [0.1, 0.5, 1].map((w) => line([0, 1], [0, w], { yDomain: [0, 1] }));
 * const page = await frames(steps, { captions: ['step 0', 'step 10', 'step 20'] }).toHTML();
 * page.split('<svg').length - 1; // 3
 */
export function frames(pictures: readonly Picture[], options: FramesOptions = {}): Picture {
  if (pictures.length === 0) throw new PlotError('frames: no pictures; there is nothing to draw.');
  const { title = pictures[0].title, fps = 12 } = options;
  const { captions = pictures.map((_, i) => `${i + 1} of ${pictures.length}`) } = options;
  if (captions.length !== pictures.length) {
    throw new PlotError(
      `frames: ${pictures.length} pictures and ${captions.length} captions; expected equally many.`,
    );
  }
  if (!(fps > 0 && Number.isFinite(fps))) {
    throw new PlotError(`frames: fps is ${fps}; expected a positive number.`);
  }
  const last = pictures.length - 1;
  return pictureOf({
    title,
    toSVG: () => pictures[last].toSVG(),
    async toHTML() {
      const svgs = await inTurn(pictures);
      const body = svgs
        .map((svg, i) => `<div class="frame"${i < last ? ' hidden' : ''}>${inline(svg)}</div>`)
        .join('\n');
      const names = captions.map((caption) => `<li>${escapeHTML(caption)}</li>`).join('');
      return page(
        title,
        `${body}
<p><button type="button">Play</button>
<input type="range" min="0" max="${last}" value="${last}" aria-label="frame" style="width: 20rem">
<output>${escapeHTML(captions[last])}</output></p>
<ul hidden>${names}</ul>`,
        `<script>\n${script(1000 / fps)}</script>\n`,
      );
    },
    async mount(element) {
      const page = element.ownerDocument;
      const boxes = (await inTurn(pictures)).map((svg, i) => {
        const box = page.createElement('div');
        box.className = 'frame';
        box.hidden = i < last;
        box.append(parseSVG(svg, element));
        return box;
      });
      const [play, slider, output, list] = ['button', 'input', 'output', 'ul'].map((name) =>
        page.createElement(name),
      );
      play.setAttribute('type', 'button');
      play.textContent = 'Play';
      const settings = { type: 'range', min: 0, max: last, value: last, 'aria-label': 'frame' };
      for (const [name, value] of Object.entries(settings)) slider.setAttribute(name, `${value}`);
      output.textContent = captions[last];
      list.hidden = true;
      for (const caption of captions) {
        const item = page.createElement('li');
        item.textContent = caption;
        list.append(item);
      }
      element.replaceChildren(...boxes, play, slider, output, list);
      player(element, 1000 / fps);
    },
  });
}

/** One after the other: many at once would only hold more in memory. */
async function inTurn(pictures: readonly Picture[]): Promise<string[]> {
  const svgs: string[] = [];
  for (const picture of pictures) svgs.push(await picture.toSVG());
  return svgs;
}

/** Moves between the frames in `root`. */
function player(root: Element, pause: number): void {
  const boxes = [...root.querySelectorAll<HTMLElement>('.frame')];
  const captions = [...root.querySelectorAll('li')].map((item) => item.textContent);
  const slider = root.querySelector('input');
  const button = root.querySelector('button');
  const output = root.querySelector('output');
  if (slider === null || button === null || output === null) return;
  let timer: ReturnType<typeof setInterval> | undefined;
  const show = (at: number): void => {
    boxes.forEach((box, i) => (box.hidden = i !== at));
    slider.value = String(at);
    output.textContent = captions[at];
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
    button.textContent = 'Play';
  };
  slider.addEventListener('input', () => {
    stop();
    show(Number(slider.value));
  });
  button.addEventListener('click', () => {
    if (timer !== undefined) {
      stop();
      return;
    }
    button.textContent = 'Pause';
    let at = Number(slider.value) === boxes.length - 1 ? 0 : Number(slider.value);
    show(at);
    timer = setInterval(() => {
      if (!root.isConnected || ++at >= boxes.length) stop();
      else show(at);
    }, pause);
  });
}

/** The same for a page of its own. Written out, as the text of a compiled function may call on its compiler's helpers. */
function script(pause: number): string {
  return `const boxes = [...document.querySelectorAll('.frame')];
const captions = [...document.querySelectorAll('li')].map((item) => item.textContent);
const [slider, button, output] = ['input', 'button', 'output'].map((name) => document.querySelector(name));
let timer;
function show(at) {
  boxes.forEach((box, i) => { box.hidden = i !== at; });
  slider.value = at;
  output.textContent = captions[at];
}
function stop() {
  clearInterval(timer);
  timer = undefined;
  button.textContent = 'Play';
}
slider.addEventListener('input', () => { stop(); show(Number(slider.value)); });
button.addEventListener('click', () => {
  if (timer !== undefined) return stop();
  button.textContent = 'Pause';
  let at = Number(slider.value) === boxes.length - 1 ? 0 : Number(slider.value);
  show(at);
  timer = setInterval(() => { if (++at >= boxes.length) stop(); else show(at); }, ${pause});
});
`;
}
