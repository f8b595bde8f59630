import { expect, test } from 'vitest';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeIntAttribute, makeIntsAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import type { ModelProto, NodeProto, TensorProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor, int64Tensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { shapesOf } from '#control-plane/compression/prune/activations.ts';
import type { ChannelMap } from '#control-plane/compression/prune/coupling/channel-map.ts';
import { coupleChannels } from '#control-plane/compression/prune/coupling/couple.ts';
import { cutChannels } from '#control-plane/compression/prune/cut.ts';
import { channelGroups } from '#control-plane/compression/prune/groups.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { modelOf, noise } from '../small-models.ts';
import { graphOfBlocks, imageFeeds } from './layered-graph.ts';
import { outputsOf } from './run-model.ts';

const [feed = {}] = imageFeeds(1);

async function mapOf(model: ModelProto): Promise<ChannelMap> {
  return coupleChannels(graphOf(model), await shapesOf(model, feed));
}

/** Operator of the layer that makes a group, channels that may go, channels that stay. */
const summary = (map: ChannelMap) =>
  channelGroups(map).map(({ origin, classes, frozen }) => [
    origin.split(' ')[0],
    classes.length,
    frozen.length,
  ]);

test.each([
  ['a residual sum is one group with what it is added to', ['conv', 'residual'], [['Conv', 5, 0], ['Conv', 6, 0]]],
  ['a depthwise layer goes with the one before', ['conv', 'inverted'], [['Conv', 5, 0], ['Conv', 10, 0], ['Conv', 6, 0]]],
  ['a gate goes with what it scales', ['conv', 'gate'], [['Conv', 5, 0], ['Conv', 4, 0]]],
  ['parts of a concatenation go on their own', ['conv', 'concat'], [['Conv', 5, 0], ['Conv', 3, 0]]],
  ['groups of a convolution lose the same channels', ['conv', 'grouped'], [['Conv', 5, 0], ['Conv', 3, 0], ['Conv', 2, 0]]],
  ['parts of a split go on their own', ['conv', 'split'], [['Conv', 5, 0], ['Conv', 6, 0], ['Conv', 3, 0]]],
] as const)('%s', async (_, blocks, groups) => {
  const map = await mapOf(graphOfBlocks(blocks, 'pooled'));
  expect(summary(map)).toEqual([...groups, ['Gemm', 0, 5]]);
}); // prettier-ignore

/** A 1x1 convolution from x to `c` with 6 channels, `between`, and one back to 2 channels. */
function between(nodes: NodeProto[], constants: TensorProto[], read: string): ModelProto {
  return modelOf(
    [
      makeNode('Conv', ['x', 'w1'], ['c'], 'first'),
      ...nodes,
      makeNode('Conv', [read, 'w2'], ['y'], 'second'),
    ],
    [floatTensor('w1', [6, 3, 1, 1], noise(18)), floatTensor('w2', [2, 6, 1, 1], noise(12)), ...constants],
    { x: [1, 3, 6, 6] },
    { y: [1, 2, 'h', 'w'] },
  );
}

test.each([
  ['a padded channel axis', makeNode('Pad', ['c', 'pads'], ['p'], 'odd'), int64Tensor('pads', [8], [0, 1, 0, 0, 0, -1, 0, 0])],
  ['a softmax over channels', makeNode('Softmax', ['c'], ['p'], 'odd', [makeIntAttribute('axis', 1)]), undefined],
])('%s holds the channels', async (_, odd, constant) => {
  const map = await mapOf(between([odd], constant === undefined ? [] : [constant], 'p'));
  expect(channelGroups(map)[0]).toMatchObject({ classes: [], reason: `${odd.opType} "odd"` });
}); // prettier-ignore

test('a constant that another operator reads too keeps its channels', async () => {
  const model = between(
    [makeNode('ReduceSum', ['w2'], ['s'], 'sum', [makeIntAttribute('keepdims', 0)])],
    [],
    'c',
  );
  expect(channelGroups(await mapOf(model))[0]).toMatchObject({
    classes: [],
    reason: 'the constant "w2", read elsewhere',
  });
});

test('layers that share weights lose the same channels', async () => {
  const model = between(
    [makeNode('Conv', ['x', 'w1'], ['d'], 'twin'), makeNode('Sub', ['c', 'd'], ['e'], 'sub')],
    [],
    'e',
  );
  expect(channelGroups(await mapOf(model))[0]?.classes.map(({ channels }) => channels)).toEqual([
    2, 2, 2, 2, 2, 2,
  ]);
});

test('numbers that count channels follow the cut: a reshape to and fro, an expansion', async () => {
  const nodes = [
    makeNode('Reshape', ['c', 'flat'], ['f'], 'flatten'),
    makeNode('Transpose', ['f'], ['t'], 'turn', [makeIntsAttribute('perm', [0, 2, 1])]),
    makeNode('Transpose', ['t'], ['u'], 'back', [makeIntsAttribute('perm', [0, 2, 1])]),
    makeNode('Reshape', ['u', 'image'], ['i'], 'unflatten'),
    makeNode('GlobalAveragePool', ['i'], ['g'], 'pool'),
    makeNode('Expand', ['g', 'wide'], ['e'], 'expand'),
  ];
  const constants = [
    int64Tensor('flat', [3], [1, 6, 36]),
    int64Tensor('image', [4], [1, 6, 6, -1]),
    int64Tensor('wide', [4], [1, 6, 2, 2]),
  ];
  const model = between(nodes, constants, 'e');
  const map = await mapOf(model);
  const ids = channelGroups(map)[0]?.classes.map(({ id }) => id) ?? [];
  cutChannels(graphOf(model), map, new Set([ids[1]!, ids[4]!]));
  expect(ids).toHaveLength(6);
  expect((await outputsOf(model, [feed]))[0]?.shape).toEqual([1, 2, 2, 2]);
});

test('what a shape tells of other axes may be used, what it tells of the channels may not', async () => {
  const reading = (axis: number) =>
    between(
      [
        makeNode('Shape', ['c'], ['s'], 'shape'),
        makeNode('Gather', ['s', 'axis'], ['n'], 'size'),
        makeNode('ConstantOfShape', ['n'], ['z'], 'zeros'),
      ],
      [int64Tensor('axis', [2], [0, axis])],
      'c',
    );
  expect(channelGroups(await mapOf(reading(2)))[0]?.classes).toHaveLength(6);
  expect(channelGroups(await mapOf(reading(-3)))[0]?.reason).toBe('Shape "shape"');
});

test('the same channel of a flattened image is one class', async () => {
  const map = await mapOf(graphOfBlocks(['conv'], 'flattened'));
  const [, flat] = [...map.tensors].find(([, { labels }]) => labels.length === 5 * 36) ?? [];
  expect(new Set(flat?.labels.slice(0, 36)).size).toBe(1);
  expect(new Set(flat?.labels).size).toBe(5);
});

test('an input of the model that meets the channels holds them', async () => {
  const model = modelOf(
    [
      makeNode('Conv', ['x', 'w'], ['c'], 'conv'),
      makeNode('Add', ['c', 'x'], ['s'], 'sum'),
      makeNode('GlobalMaxPool', ['s'], ['y'], 'pool'),
    ],
    [floatTensor('w', [3, 3, 1, 1], noise(9))],
    { x: [1, 3, 6, 6] },
    { y: [1, 3, 1, 1] },
  );
  const given = { x: floatFeed([1, 3, 6, 6], noise(108)) };
  const map = coupleChannels(graphOf(model), await shapesOf(model, given));
  expect(channelGroups(map)[0]).toMatchObject({ classes: [], reason: 'Add "sum"' });
});
