import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Pruning } from '#protocol/compression.ts';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeGraph, makeIntsAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import type { ModelProto, TensorProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { dimsOf, floatTensor, readFloats } from '#control-plane/compression/onnx/tensor-data.ts';
import { shapesOf } from '#control-plane/compression/prune/activations.ts';
import { pruneModel } from '#control-plane/compression/prune/prune.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { modelOf, noise } from '../small-models.ts';
import { BLOCKS, contextOf, graphOfBlocks, HEADS, imageFeeds, LayeredGraph } from './layered-graph.ts';
import { outputsOf, relativeError } from './run-model.ts';

const half: Pruning = {
  structure: 'channels',
  ratio: 0.5,
  importance: 'activation',
  roundTo: 1,
  refit: true,
};
const feeds = imageFeeds(24);

function weightOf(model: ModelProto, node: number) {
  const graph = graphOf(model);
  const name = graph.node.filter(({ opType }) => opType === 'Conv')[node]?.input[1];
  const tensor = graph.initializer.find((candidate) => candidate.name === name);
  if (tensor === undefined) throw new Error(`no convolution ${node}`);
  return tensor;
}

test('a share of 0 changes nothing', async () => {
  const model = graphOfBlocks(['conv', 'residual'], 'pooled');
  const before = encodeModel(model);
  await pruneModel(model, { ...half, ratio: 0 }, contextOf(feeds));
  expect(encodeModel(model)).toEqual(before);
});

test('any graph, pruned in any way, loads and gives finite outputs of the same shapes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...BLOCKS), { minLength: 1, maxLength: 4 }),
      fc.constantFrom(...HEADS),
      fc.record({
        structure: fc.constantFrom(
          'channels' as const,
          'channels' as const,
          'magnitude' as const,
          '2:4' as const,
        ),
        ratio: fc.double({ min: 0.05, max: 0.9, noNaN: true }),
        importance: fc.constantFrom('l1' as const, 'l2' as const, 'activation' as const),
        roundTo: fc.constantFrom(1, 2, 4),
        refit: fc.boolean(),
      }),
      async (blocks, head, pruning) => {
        const model = graphOfBlocks(['conv', 'conv', ...blocks], head);
        const before = await outputsOf(model, feeds.slice(0, 2));
        await pruneModel(model, pruning, contextOf(feeds.slice(0, 3)));
        const after = await outputsOf(model, feeds.slice(0, 2));
        expect(after.map(({ shape }) => shape)).toEqual(before.map(({ shape }) => shape));
        expect(after.every(({ values }) => values.every(Number.isFinite))).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);

/** Channels of the parts that the first Split makes. */
async function partSizes(model: ModelProto): Promise<(number | undefined)[]> {
  const [feed = {}] = feeds;
  const shapes = await shapesOf(model, feed);
  const split = graphOf(model).node.find(({ opType }) => opType === 'Split');
  return (split?.output ?? []).map((name) => shapes.get(name)?.[1]);
}

/** Writes over the values of a constant. */
function rewrite(tensor: TensorProto, edit: (values: Float32Array) => Float32Array): void {
  tensor.rawData = new Uint8Array(edit(readFloats(tensor)).buffer);
}

/** The weights and the bias of a convolution. */
function constantsOf(model: ModelProto, node: number): TensorProto[] {
  const { input } = graphOf(model).node.filter(({ opType }) => opType === 'Conv')[node] ?? { input: [''] };
  return graphOf(model).initializer.filter(({ name = '' }) => input.includes(name));
}

test.each(['l1', 'l2', 'activation'] as const)(
  'channels that are always zero go first and cost nothing, by %s',
  async (importance) => {
    const graph = new LayeredGraph();
    for (const channels of [8, 12]) {
      graph.conv(channels, 3);
      graph.node('Relu', []);
    }
    const model = graph.build('pooled');
    for (const constant of [...constantsOf(model, 0), ...constantsOf(model, 1)]) {
      const size = readFloats(constant).length / (dimsOf(constant)[0] ?? 1);
      rewrite(constant, (values) => values.map((value, at) => (Math.floor(at / size) % 2 === 1 ? 0 : value)));
    }
    const before = await outputsOf(model, feeds);
    await pruneModel(model, { ...half, importance }, contextOf(feeds));
    expect([weightOf(model, 0), weightOf(model, 1)].map((tensor) => dimsOf(tensor)[0])).toEqual([4, 6]);
    expect(relativeError(before, await outputsOf(model, feeds))).toBeLessThan(1e-4);
  },
);

test('channels that copy others go, and the refit makes the layer after read the copies that stay', async () => {
  const graph = new LayeredGraph();
  graph.add('conv').conv(8, 1);
  graph.node('Relu', []);
  graph.conv(4, 3);
  const model = graph.build('open');
  for (const constant of constantsOf(model, 1))
    rewrite(constant, (values) => values.copyWithin(values.length / 2, 0, values.length / 2));
  const before = await outputsOf(model, feeds);
  await pruneModel(model, { ...half, ratio: 4 / 13 }, contextOf(feeds));
  expect(dimsOf(weightOf(model, 1))[0]).toBe(4);
  expect(relativeError(before, await outputsOf(model, feeds))).toBeLessThan(0.02);
});

test('a refit comes nearer to the original than the bare cut', async () => {
  const errorWith = async (refit: boolean) => {
    const model = graphOfBlocks(['conv', 'inverted', 'residual', 'gate'], 'matmul');
    const before = await outputsOf(model, feeds);
    await pruneModel(model, { ...half, importance: 'l2', ratio: 0.3, refit }, contextOf(feeds));
    return relativeError(before, await outputsOf(model, feeds));
  };
  expect(await errorWith(true)).toBeLessThan(0.5 * (await errorWith(false)));
});

test('the channels that stay are a multiple of what was asked for', async () => {
  const model = new LayeredGraph();
  model.conv(16, 3);
  model.conv(24, 1);
  const built = model.build('pooled');
  await pruneModel(built, { ...half, importance: 'l2', roundTo: 8, refit: false }, contextOf(feeds));
  expect([weightOf(built, 0), weightOf(built, 1)].map((tensor) => dimsOf(tensor)[0])).toEqual([8, 16]);
});

test('a part of a split never loses all of its channels', async () => {
  const model = graphOfBlocks(['split'], 'pooled');
  for (const constant of constantsOf(model, 0)) {
    const size = readFloats(constant).length / 6;
    rewrite(constant, (values) => values.fill(0, 0, 2 * size));
  }
  await pruneModel(model, { ...half, ratio: 0.3, refit: false }, contextOf(feeds));
  const [first, second] = await partSizes(model);
  expect(first).toBe(1);
  expect(second).toBeGreaterThan(0);
});

test('what an unknown operator, a subgraph or the caller reads stays whole, and is named', async () => {
  const model = graphOfBlocks(['conv', 'conv', 'conv', 'conv'], 'pooled');
  const graph = graphOf(model);
  const [first, second, third] = graph.node
    .filter(({ opType }) => opType === 'Relu')
    .map(({ output }) => output[0] ?? '');
  graph.node.push(
    makeNode('LRN', [first ?? ''], ['n'], 'neighbours', [
      { ...makeIntsAttribute('size', []), i: 3, type: 2 },
    ]),
  );
  const branch = makeGraph({
    name: 'branch',
    node: [makeNode('Neg', [second ?? ''], ['b'], 'inner')],
    initializer: [],
    input: [],
    output: [{ name: 'b', metadataProps: [] }],
  });
  const condition = {
    ...floatTensor('condition', [], new Float32Array()),
    dataType: 9,
    rawData: Uint8Array.of(1),
  };
  graph.initializer.push(condition);
  const choice = makeNode('If', ['condition'], ['chosen'], 'choice');
  choice.attribute.push(
    ...['then_branch', 'else_branch'].map((name) => ({ ...makeIntsAttribute(name, []), type: 5, g: branch })),
  );
  graph.node.push(choice);
  graph.output.push({ name: third ?? '', metadataProps: [] });
  const context = contextOf(feeds);
  await pruneModel(model, half, context);
  expect([0, 1, 2, 3].map((node) => dimsOf(weightOf(model, node))[0])).toEqual([5, 7, 9, expect.any(Number)]);
  expect(dimsOf(weightOf(model, 3))[0]).toBeLessThan(11);
  expect(context.notes.join('\n')).toMatch(/LRN "neighbours"[^]*If "choice"[^]*the output "t5"/);
});

test('a model with nothing to take out is refused, with what holds it in the notes', async () => {
  const nodes = [makeNode('Conv', ['x', 'w'], ['c'], 'only'), makeNode('Softmax', ['c'], ['y'], 'softmax')];
  const model = modelOf(
    nodes,
    [floatTensor('w', [4, 3, 1, 1], noise(12))],
    { x: [1, 3, 6, 6] },
    { y: [1, 4, 6, 6] },
  );
  const context = contextOf(feeds);
  await expect(pruneModel(model, half, context)).rejects.toMatchObject({
    code: 'compression-failed',
    message: expect.stringContaining('held by Softmax "softmax"'),
  });
  expect(context.notes).toEqual(['4 channels of Conv "only" stay: held by Softmax "softmax"']);
});

test('no samples, or NaN in one, are refused', async () => {
  const bad = { x: floatFeed([1, 3, 6, 6], noise(108).fill(Number.NaN, 4, 5)) };
  for (const given of [[], [bad]]) {
    const model = graphOfBlocks(['conv', 'conv'], 'pooled');
    await expect(pruneModel(model, half, contextOf(given))).rejects.toMatchObject({
      code: 'dataset-invalid',
    });
  }
});
