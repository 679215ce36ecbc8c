/** Files that are damaged, or made to do harm: named errors, and nothing of the sort happens. */
import { Dense, Sequential, modelFromBytes } from '@tapegrad/layers';
import {
  FormatError,
  TapegradError,
  decodeSafetensors,
  encodeSafetensors,
  type Tensor,
} from '@tapegrad/tensor';

type Json = Record<string, unknown>;

const model = new Sequential([new Dense(2, { inputShape: [3], name: 'd' })], { name: 'm' });
model.compile({ optimizer: 'adam', loss: 'mse' });
model.trainOnBatch([[1, 2, 3]], [[1, 2]]);
const good = model.toBytes();

/** The file with another description, and other tensors. */
function forged(
  change: (description: Json) => unknown,
  retouch: (tensors: Map<string, Tensor>) => void = () => undefined,
): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(good);
  const description = JSON.parse(metadata.get('tapegrad') ?? '') as Json;
  const changed = change(description) ?? description;
  const copy = new Map(tensors);
  retouch(copy);
  const text = typeof changed === 'string' ? changed : JSON.stringify(changed);
  return encodeSafetensors(copy, { tapegrad: text });
}

/** Sets a value deep inside: at(d, 'layers', 0, 'config').units = … */
function at(x: unknown, ...path: (string | number)[]): Json {
  return path.reduce<unknown>((inner, key) => (inner as Json)[key], x) as Json;
}

const set =
  (path: (string | number)[], key: string, value: unknown) =>
  (d: Json): void => {
    at(d, ...path)[key] = value;
  };

const DENSE = ['layers', 0, 'config'];
const STACK = ['layers', 1, 'config'];

test('the file is good as it is', () => {
  expect(modelFromBytes(forged(() => undefined)).countParams()).toBe(8);
});

test.each<[string, Uint8Array, RegExp]>([
  ['no safetensors', new Uint8Array(100), /the header is no JSON/],
  ['no description', encodeSafetensors({}), /holds weights, but no model/],
  ['weights alone', model.weightsToBytes(), /holds weights, but no model/],
  ['no JSON', forged(() => '{'), /the description of the model is no JSON/],
  ['null', forged(() => 'null'), /has no version/],
  ['a later version', forged(set([], 'version', 2)), /version 2; this library reads version 1/],
  ['no layers', forged(set([], 'layers', {})), /lists of layers and generators are missing/],
  [
    'an unknown class',
    forged(set(['layers', 0], 'class', 'Gate')),
    /unknown layer class "Gate"; known are 'A.*registerLayer\(Gate\)/,
  ],
  [
    'a class of every object',
    forged(set(['layers', 0], 'class', 'constructor')),
    /unknown layer class "constructor"/,
  ],
  [
    'a class that is no text',
    forged(set(['layers', 0], 'class', ['Dense'])),
    /unknown layer class/,
  ],
  ['no config', forged(set(['layers', 0], 'config', [])), /a layer 'Dense' has no config/],
  ['no name', forged(set(DENSE, 'name', 3)), /a layer 'Dense' has no name/],
  [
    'a wrong argument',
    forged(set(DENSE, 'units', -1)),
    /the layer d: units must be a whole number/,
  ],
  ['units that are no number', forged(set(DENSE, 'units', { length: 3 })), /the layer d/],
  [
    'units for which no memory would do',
    forged(set(DENSE, 'units', 2 ** 40)),
    /'kernel' \[3, 1099511627776\] is larger than all weights that the file/,
  ],
  ['an absurd input', forged(set(DENSE, 'inputShape', [2 ** 40])), /larger than all weights/],
  ['an unknown activation', forged(set(DENSE, 'activation', 'rlu')), /Unknown activation 'rlu'/],
  ['an unknown dtype', forged(set(DENSE, 'dtype', 'float16')), /dtype 'float16'/],
  [
    'an unknown function',
    forged(set(DENSE, 'activation', { $: 'function', name: 'evil' })),
    /unknown function "evil".*registerFunction\("evil"/,
  ],
  [
    'a function of every object',
    forged(set(DENSE, 'activation', { $: 'made', by: 'constructor', args: ['process.exit()'] })),
    /unknown function "constructor"/,
  ],
  [
    'a getter of initializers',
    forged(set(DENSE, 'kernelInitializer', { $: 'made', by: 'initializers.__proto__', args: [] })),
    /unknown function/,
  ],
  [
    'an unknown kind',
    forged(set(DENSE, 'activation', { $: 'eval', text: '1' })),
    /unknown kind "eval"/,
  ],
  [
    'a layer that is yet to come',
    forged(set(STACK, 'layers', [{ $: 'layer', index: 1 }])),
    /refers to no layer before it/,
  ],
  [
    'a layer of every list',
    forged(set(STACK, 'layers', [{ $: 'layer', index: 'length' }])),
    /refers to no layer before it/,
  ],
  [
    'a layer twice',
    forged(
      set(STACK, 'layers', [
        { $: 'layer', index: 0 },
        { $: 'layer', index: 0 },
      ]),
    ),
    /there is a layer 'd' already/,
  ],
  ['no list of layers', forged(set(STACK, 'layers', 'ab')), /'layers' of a model is no list/],
  ['a shape of texts', forged(set(STACK, 'inputShape', [null, '3'])), /a shape has the size "3"/],
  [
    'a root that is no model',
    forged(set([], 'model', { $: 'layer', index: 0 })),
    /it is of no model/,
  ],
  [
    'an unknown optimizer',
    forged(set(['training', 'optimizer'], 'by', 'optimizers.own')),
    /unknown function "optimizers.own"/,
  ],
  [
    'an optimizer that is none',
    forged(set(['training'], 'optimizer', 'adam')),
    /the optimizer or the outputs are missing/,
  ],
  [
    'an unknown loss',
    forged(set(['training', 'outputs', 0], 'loss', 'msee')),
    /Unknown loss 'msee'/,
  ],
  [
    'iterations below 0',
    forged(set(['training'], 'iterations', -1)),
    /the state is damaged: iterations -1/,
  ],
  ['a clock of another length', forged(set(['training'], 'clock', [])), /the state is damaged/],
  ['no random numbers', forged(set(['training'], 'random', {})), /state of a random generator/],
  [
    'a weight too few',
    forged(
      () => undefined,
      (t) => t.delete('d/bias'),
    ),
    /'kernel' \[3, 2\]|'bias' of layer 'd' is missing|larger than/,
  ],
  [
    'a slot too few',
    forged(
      () => undefined,
      (t) => t.delete('@optimizer/d/bias/mean'),
    ),
    /slot 'mean' of parameter 1 needs 2/,
  ],
  [
    'nesting without end',
    forged(set(DENSE, 'activation', JSON.parse('['.repeat(500) + ']'.repeat(500)))),
    /nested too deeply/,
  ],
])('%s is an error', (_, bytes, message) => {
  const load = (): unknown => modelFromBytes(bytes, { name: 'm.st' });
  expect(load).toThrow(message);
  expect(load).toThrow(FormatError);
  expect(load).toThrow(/^m\.st: /);
});

test('keys like __proto__ are unknown options like others, and change no other object', () => {
  const bytes = forged((d) =>
    JSON.stringify(d).replace('"units":2', '"units":2,"__proto__":{"polluted":1}'),
  );
  expect(() => modelFromBytes(bytes)).toThrow(/Unknown option of Dense '__proto__'/);
  expect('polluted' in {}).toBe(false);
});

test('whatever byte of the header is damaged, the error is named or the file is still good', () => {
  const length = Number(new DataView(good.buffer).getBigUint64(0, true));
  for (let i = 0; i < 8 + length; i += 3) {
    const bytes = good.slice();
    bytes[i] ^= 1 << (i % 8);
    try {
      modelFromBytes(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(TapegradError);
    }
  }
});
