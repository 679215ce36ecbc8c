import { tensor, zeros } from '@tapegrad/tensor';
import {
  PlotError,
  codes,
  confusionMatrix,
  frames,
  history,
  imageGrid,
  line,
  scatter,
  sideBySide,
} from '@tapegrad/plots';

const cases: [string, () => unknown, string][] = [
  [
    'different lengths',
    () => scatter([1, 2], [1]),
    'scatter: x has 2 items and y has 1; expected equally many.',
  ],
  ['no points', () => scatter([], []), 'scatter: x is empty; there is nothing to draw.'],
  [
    'NaN',
    () => scatter([1, 2], [0, NaN]),
    'scatter: y[1] is NaN; only finite numbers can be drawn.',
  ],
  [
    'infinity',
    () => line(Float64Array.of(1, Infinity), [0, 1]),
    'line: x[1] is Infinity; only finite',
  ],
  [
    'a missing list',
    () => Reflect.apply(line, undefined, [[1, 2]]) as unknown,
    'line: y is undefined; expected a tensor or an array',
  ],
  [
    'a matrix for a row',
    () => scatter(zeros([2, 3]), [1]),
    'scatter: x has shape [2, 3]; expected a row of numbers',
  ],
  [
    'series of different lengths',
    () =>
      line([
        { x: [1], y: [1] },
        { x: [1, 2], y: [1] },
      ]),
    'line[1]: x has 2 items and y has 1',
  ],
  ['no series', () => line([]), 'line: got no series'],
  [
    'a line over points',
    () => scatter([1], [1], { lines: [{ x: [NaN], y: [1] }] }),
    'scatter: lines[0]: x[0] is NaN',
  ],
  [
    'a domain turned round',
    () => line([1], [1], { yDomain: [2, 1] }),
    'yDomain is [2, 1]; expected two finite numbers, the smaller first.',
  ],
  [
    'a width',
    () => line([1], [1], { width: 0 }),
    'The width is 0; expected a positive number of pixels.',
  ],
  ['a size', () => scatter([1], [1], { size: -1 }), 'The size of the points is -1'],
  [
    'an opacity',
    () => scatter([1], [1], { opacity: 2 }),
    'The opacity is 2; expected a number above 0, at most 1.',
  ],
  [
    'an unknown quantity',
    () => history({ loss: [1] }, { names: ['acc'] }),
    "history: there is no 'acc'; known are loss.",
  ],
  ['no quantities', () => history({}), 'history: no quantities'],
  ['no epochs', () => history({ loss: [] }), 'history: loss is empty'],
  ['a diverged training', () => history({ loss: [1, NaN] }), 'history: loss[1] is NaN'],
  [
    'different epochs',
    () => history({ loss: [1, 2], valLoss: [1] }),
    'history: the quantities have 2 and 1 epochs',
  ],
  [
    'a flat image',
    () => imageGrid(zeros([2, 784])),
    'imageGrid: images has shape [2, 784]; expected [count, height, width]',
  ],
  [
    'channels in front',
    () => imageGrid(zeros([2, 1, 28, 28])),
    'imageGrid: images has shape [2, 1, 28, 28] with the channels last; expected',
  ],
  [
    'an image shape that does not fit',
    () => imageGrid(zeros([10]), { imageShape: [2, 2] }),
    'imageGrid: images has 10 numbers; an image of imageShape [2, 2] takes 4',
  ],
  [
    'captions',
    () => imageGrid(zeros([2, 1, 1]), { captions: ['a'] }),
    'imageGrid: images has 2 items and captions has 1',
  ],
  [
    'row labels',
    () => imageGrid(zeros([2, 1, 1]), { rowLabels: ['a', 'b'] }),
    'imageGrid: the grid has 1 items and rowLabels has 2',
  ],
  [
    'rows of different shapes',
    () => imageGrid([zeros([2, 1, 1]), zeros([3, 1, 1])]),
    'imageGrid: row 1 is [3, 1, 1, 1] and row 0 [2, 1, 1, 1]',
  ],
  [
    'columns',
    () => imageGrid(zeros([2, 1, 1]), { columns: 1.5 }),
    'imageGrid: columns is 1.5; expected a whole number above 0.',
  ],
  [
    'a class that is none',
    () => confusionMatrix([0, 1.5], [0, 1]),
    'confusionMatrix: yTrue[1] is 1.5; expected a class',
  ],
  [
    'too few names',
    () => confusionMatrix([0, 3], [0, 1], { classes: ['a', 'b'] }),
    'class 3 occurs and `classes` names 2; expected at least 4 names.',
  ],
  [
    'different counts',
    () => confusionMatrix([0, 1], [0]),
    'confusionMatrix: yTrue has 2 items and yPred has 1',
  ],
  [
    'numbers that are no classes',
    () => confusionMatrix([1e9], [1]),
    'confusionMatrix: class 1000000000 occurs; at most 500 classes can be drawn.',
  ],
  ['a cell', () => confusionMatrix([0], [0], { cell: -5 }), 'The cell is -5; expected a positive'],
  ['a panel', () => history({ loss: [1, 2] }, { width: NaN }), 'The width is NaN; expected'],
  [
    'values beyond the doubles',
    () => line([0, 1], [-1.7e308, 1.7e308]),
    'Values from -1.7e+308 to 1.7e+308 are too far apart for one axis',
  ],
  [
    'a domain beyond the doubles',
    () => line([0, 1], [0, 1], { xDomain: [-1.7e308, 1.7e308] }),
    'xDomain is [-1.7e+308, 1.7e+308]; expected two finite numbers',
  ],
  [
    'codes in space',
    () => codes(zeros([4, 3]), [1, 2, 3, 4]),
    'codes: the points have 3 numbers each; expected 2',
  ],
  ['too few labels', () => codes(zeros([4, 2]), [1]), 'codes: points has 4 items and labels has 1'],
  [
    'a row of codes',
    () => codes(tensor([1, 2]), [1]),
    'codes: points has shape [2]; expected rows of numbers',
  ],
  [
    'uneven rows',
    () => codes([[1, 2], [1]], [0, 0]),
    'codes: points[1] has 1 numbers and codes: points[0] has 2',
  ],
  [
    'many words',
    () => codes(zeros([11, 2]), [...'abcdefghijk']),
    'codes: the labels are 11 different words; expected at most 10.',
  ],
  ['no frames', () => frames([]), 'frames: no pictures'],
  [
    'captions of frames',
    () => frames([line([1], [1])], { captions: [] }),
    'frames: 1 pictures and 0 captions',
  ],
  ['nothing side by side', () => sideBySide([]), 'sideBySide: no pictures'],
  [
    'columns side by side',
    () => sideBySide([line([1], [1])], { columns: 0 }),
    'sideBySide: columns is 0; expected a whole number above 0.',
  ],
  ['a speed', () => frames([line([1], [1])], { fps: 0 }), 'frames: fps is 0'],
];

test.each(cases)('%s', (_, draw, message) => {
  expect(draw).toThrow(PlotError);
  expect(draw).toThrow(message);
});
