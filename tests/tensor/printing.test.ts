/** Printing, against what NumPy 2 prints with separator=', ' (where it writes True and nan, this library writes true and NaN). */
import { inspect } from 'node:util';
import { arange, ones, scalar, tensor, zeros } from '@tapegrad/tensor';

const lines = (...text: string[]): string => text.join('\n');

test('vectors and matrices are aligned', () => {
  const x = tensor([
    [1, -20],
    [300, 4],
  ]);
  expect(String(x)).toBe(
    lines('tensor([[  1, -20],', '        [300,   4]], shape [2, 2], float32)'),
  );
  expect(String(tensor([1, 2, 3], 'int32'))).toBe('tensor([1, 2, 3], shape [3], int32)');
});

test('inspect shows the same', () => {
  expect(inspect(tensor([1, 2]))).toBe('tensor([1, 2], shape [2], float32)');
  expect(inspect({ x: tensor([true]) })).toBe('{ x: tensor([true], shape [1], bool) }');
});

test('blocks are set apart', () => {
  expect(String(arange(24).reshape([2, 3, 4]))).toBe(
    lines(
      'tensor([[[ 0,  1,  2,  3],',
      '         [ 4,  5,  6,  7],',
      '         [ 8,  9, 10, 11]],',
      '',
      '        [[12, 13, 14, 15],',
      '         [16, 17, 18, 19],',
      '         [20, 21, 22, 23]]], shape [2, 3, 4], int32)',
    ),
  );
});

test('truth values', () => {
  const x = tensor([
    [true, false],
    [false, true],
  ]);
  expect(String(x)).toBe(
    lines(
      'tensor([[ true, false],', //
      '        [false,  true]], shape [2, 2], bool)',
    ),
  );
});

test('scalars and tensors without elements', () => {
  expect(String(scalar(3.5))).toBe('tensor(3.5, shape [], float32)');
  expect(String(scalar(true))).toBe('tensor(true, shape [], bool)');
  expect(String(zeros([0, 3]))).toBe('tensor([], shape [0, 3], float32)');
  expect(String(zeros([2, 0], 'int32'))).toBe('tensor([], shape [2, 0], int32)');
});

test('fractions have as many decimals as the value that needs most, at most four', () => {
  expect(String(tensor([0.5, 1.25, -3]))).toBe('tensor([ 0.50,  1.25, -3.00], shape [3], float32)');
  expect(String(tensor([0.12345678, 1.5], 'float64'))).toBe(
    'tensor([0.1235, 1.5000], shape [2], float64)',
  );
  // What float32 makes of 0.1 is not shown to more digits than it has.
  expect(String(tensor([0.1, 0.2]))).toBe('tensor([0.1, 0.2], shape [2], float32)');
});

test('very large, very small and very different numbers are scientific', () => {
  expect(String(tensor([1e-10, 1], 'float64'))).toBe(
    'tensor([1.0000e-10,  1.0000e+0], shape [2], float64)',
  );
  expect(String(tensor([1e21, 2]))).toBe('tensor([1.0000e+21,  2.0000e+0], shape [2], float32)');
  expect(String(tensor([1.5e8]))).toBe('tensor([1.5000e+8], shape [1], float32)');
  expect(String(tensor([123456789], 'int32'))).toBe('tensor([123456789], shape [1], int32)');
  expect(String(tensor([99999999], 'float64'))).toBe('tensor([99999999], shape [1], float64)');
});

test('NaN and infinities', () => {
  expect(String(tensor([1.5, -2.25, NaN, Infinity]))).toBe(
    'tensor([    1.50,    -2.25,      NaN, Infinity], shape [4], float32)',
  );
  expect(String(tensor([NaN, NaN]))).toBe('tensor([NaN, NaN], shape [2], float32)');
});

test('long rows are broken', () => {
  expect(String(arange(40))).toBe(
    lines(
      'tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16,',
      '        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33,',
      '        34, 35, 36, 37, 38, 39], shape [40], int32)',
    ),
  );
  expect(String(arange(48).reshape([2, 24]).mul(100))).toBe(
    lines(
      'tensor([[   0,  100,  200,  300,  400,  500,  600,  700,  800,  900, 1000,',
      '         1100, 1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900, 2000, 2100,',
      '         2200, 2300],',
      '        [2400, 2500, 2600, 2700, 2800, 2900, 3000, 3100, 3200, 3300, 3400,',
      '         3500, 3600, 3700, 3800, 3900, 4000, 4100, 4200, 4300, 4400, 4500,',
      '         4600, 4700]], shape [2, 24], int32)',
    ),
  );
});

test('more than 1000 elements: only the ends of each axis', () => {
  expect(String(arange(2000))).toBe(
    'tensor([   0,    1,    2, ..., 1997, 1998, 1999], shape [2000], int32)',
  );
  expect(String(arange(1200).reshape([30, 40]))).toBe(
    lines(
      'tensor([[   0,    1,    2, ...,   37,   38,   39],',
      '        [  40,   41,   42, ...,   77,   78,   79],',
      '        [  80,   81,   82, ...,  117,  118,  119],',
      '        ...,',
      '        [1080, 1081, 1082, ..., 1117, 1118, 1119],',
      '        [1120, 1121, 1122, ..., 1157, 1158, 1159],',
      '        [1160, 1161, 1162, ..., 1197, 1198, 1199]], shape [30, 40], int32)',
    ),
  );
  expect(String(arange(1010).reshape([2, 505]))).toBe(
    lines(
      'tensor([[   0,    1,    2, ...,  502,  503,  504],',
      '        [ 505,  506,  507, ..., 1007, 1008, 1009]], shape [2, 505], int32)',
    ),
  );
  expect(String(arange(7 * 200).reshape([7, 1, 200]))).toBe(
    lines(
      'tensor([[[   0,    1,    2, ...,  197,  198,  199]],',
      '',
      '        [[ 200,  201,  202, ...,  397,  398,  399]],',
      '',
      '        [[ 400,  401,  402, ...,  597,  598,  599]],',
      '',
      '        ...,',
      '',
      '        [[ 800,  801,  802, ...,  997,  998,  999]],',
      '',
      '        [[1000, 1001, 1002, ..., 1197, 1198, 1199]],',
      '',
      '        [[1200, 1201, 1202, ..., 1397, 1398, 1399]]], shape [7, 1, 200], int32)',
    ),
  );
  // What is not shown does not take part in the format.
  const x = ones([3000]).toTypedArray();
  x[1500] = 0.123;
  expect(String(tensor(x))).toBe('tensor([1, 1, 1, ..., 1, 1, 1], shape [3000], float32)');
  expect(String(ones([1000]))).not.toContain('...');
});

test('views print what they show', () => {
  expect(String(arange(6).reshape([2, 3]).transpose().flip(1))).toBe(
    lines(
      'tensor([[3, 0],', //
      '        [4, 1],',
      '        [5, 2]], shape [3, 2], int32)',
    ),
  );
  expect(String(tensor([7]).broadcastTo([2, 2]))).toBe(
    lines(
      'tensor([[7, 7],', //
      '        [7, 7]], shape [2, 2], float32)',
    ),
  );
});
