// What half precision does to small models, on ONNX Runtime.

import { expect, test } from 'vitest';
import { toFloat16 } from '#control-plane/compression/float16/to-float16.ts';
import { halfTensor } from '#control-plane/compression/float16/half-tensor.ts';
import { countLowered } from '#control-plane/compression/lowered-nodes.ts';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import {
  makeGraph,
  makeIntAttribute,
  makeNode,
  makeValueInfo,
} from '#control-plane/compression/onnx/messages.ts';
import {
  TensorProtoDataType as T,
  type GraphProto,
  type ModelProto,
  type NodeProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { graphsWithin } from '#control-plane/compression/onnx/walk.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { graphAttribute, textAttribute } from '../attribute.ts';
import { contextOf, runOnce } from '../running.ts';
import { convFeeds, convModel, FLOAT, modelOf, noise } from '../small-models.ts';

const cast = (input: string, output: string, to: number) =>
  makeNode('Cast', [input], [output], `cast_${output}`, [makeIntAttribute('to', to)]);

/** Converts; returns y before and after, and what was said. */
async function convert(make: () => ModelProto, feed: TensorFeed) {
  const made = make();
  const { context, notes } = contextOf([feed]);
  const nodes = await toFloat16(made, context);
  const [before, after] = await Promise.all(
    [make(), made].map(async (one) => ((await runOnce(encodeModel(one), feed))['y'] ?? []).map(Number)),
  );
  return { made, notes, nodes, before: before ?? [], after: after ?? [] };
}

test('halves the weights and keeps the types of inputs and outputs, and the answers', async () => {
  const feed = convFeeds(1)[0] as TensorFeed;
  const { made, nodes, before, after } = await convert(convModel, feed);
  const graph = graphOf(made);
  for (const value of [...graph.input, ...graph.output])
    expect(value.type?.tensorType?.elemType).toBe(T.FLOAT);
  expect(graph.initializer.map(({ name, dataType }) => [name, dataType])).toEqual([
    ['w1', T.FLOAT16],
    ['b1', T.FLOAT16],
    ['w2', T.FLOAT16],
  ]);
  expect(countLowered(graph, nodes)).toEqual({ lowered: { Conv: 2, Relu: 1 }, float: {} });
  before.forEach((value, at) => expect(after[at]).toBeCloseTo(value, 2));
});

test('constants round to the nearest half, halves to even, and neither vanish nor become infinite', () => {
  const values = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 1e-9, -1e-9, 0, 1e6, -1e6, -Infinity, NaN);
  const { rawData } = halfTensor(floatTensor('w', [9], values), 'w');
  const halves = new Float16Array(Uint8Array.from(rawData ?? []).buffer);
  const expected = [1, 1 + 2 ** -9, 2 ** -24, -(2 ** -24), 0, 65_504, -65_504, -Infinity, NaN];
  expect([...halves]).toEqual(expected);
});

test('what exceeds float16 on real samples is computed in float32, and the rest in float16', async () => {
  const make = () =>
    modelOf(
      [
        makeNode('Mul', ['x', 'big'], ['large'], 'enlarge'),
        makeNode('Div', ['large', 'big'], ['small'], 'reduce'),
        makeNode('Add', ['small', 'one'], ['y'], 'shift'),
      ],
      [floatTensor('big', [1], Float32Array.of(60_000)), floatTensor('one', [1], Float32Array.of(1))],
      { x: [4] },
      { y: [4] },
    );
  const { nodes, made, notes, before, after } = await convert(make, {
    x: floatFeed([4], Float32Array.of(5, -3, 2, 1)),
  });
  expect(countLowered(graphOf(made), nodes)).toEqual({ lowered: { Add: 1 }, float: { Div: 1, Mul: 1 } });
  expect(notes).toContain('Mul stays in float: its values are too large for float16 (enlarge)');
  before.forEach((value, at) => expect(after[at]).toBeCloseTo(value, 2));
});

test('a constant beyond float16, such as a running variance, keeps its node in float32', async () => {
  const statistics = (name: string, value: number) => floatTensor(name, [2], Float32Array.of(1, value));
  const make = () =>
    modelOf(
      [makeNode('BatchNormalization', ['x', 'scale', 'bias', 'mean', 'variance'], ['y'], 'norm')],
      [statistics('scale', 1), statistics('bias', 0), statistics('mean', 0), statistics('variance', 4e6)],
      { x: [1, 2, 3] },
      { y: [1, 2, 3] },
    );
  const { before, after } = await convert(make, { x: floatFeed([1, 2, 3], noise(6).map((v) => v * 1000)) }); // prettier-ignore
  before.forEach((value, at) => expect(after[at]).toBeCloseTo(value, 5));
});

test('numbers that were float16 already are not cast up and down again', async () => {
  const make = () =>
    modelOf(
      [
        cast('x', 'h', T.FLOAT16),
        cast('h', 'f', T.FLOAT),
        makeNode('Exp', ['f'], ['e'], 'exp'),
        makeNode('Neg', ['e'], ['y'], 'neg'),
      ],
      [],
      { x: [3] },
      { y: [3] },
    );
  const { made, before, after } = await convert(make, { x: floatFeed([3], noise(3)) });
  expect(graphOf(made).node.map(({ opType }) => opType)).toEqual(['Cast', 'Exp', 'Neg', 'Cast']);
  before.forEach((value, at) => expect(after[at]).toBeCloseTo(value, 2));
});

test('a scatter that adds, which ONNX Runtime has no float16 kernel for, stays in float32 and runs', async () => {
  const make = () =>
    modelOf(
      [
        makeNode('Cast', ['x'], ['at'], 'index', [makeIntAttribute('to', T.INT64)]),
        makeNode('ScatterElements', ['zeros', 'at', 'x'], ['y'], 'scatter', [
          textAttribute('reduction', 'add'),
        ]),
      ],
      [floatTensor('zeros', [4], new Float32Array(4))],
      { x: [4] },
      { y: [4] },
    );
  const { nodes, after } = await convert(make, { x: floatFeed([4], Float32Array.of(1, 1, 2, 0)) });
  expect(nodes.lowered.size).toBe(0);
  expect(after).toEqual([0, 2, 2, 0]);
});

test('branches of an If are converted, with the constants that one of them alone reads', async () => {
  const branch = (name: string, node: NodeProto) => {
    const output = [makeValueInfo(node.output[0] ?? '', { elemType: FLOAT, shape: [2, 4] })];
    const g = makeGraph({ name, node: [node], initializer: [], input: [], output });
    return graphAttribute(`${name}_branch`, g);
  };
  const branches = [
    branch('then', makeNode('MatMul', ['x', 'w'], ['then_y'], 'product')),
    branch('else', makeNode('Add', ['x', 'both'], ['else_y'], 'sum')),
  ];
  const make = () =>
    modelOf(
      [
        makeNode('ReduceMax', ['x'], ['top'], 'top', [makeIntAttribute('keepdims', 0)]),
        makeNode('Greater', ['top', 'limit'], ['flag'], 'greater'),
        makeNode('If', ['flag'], ['chosen'], 'if', branches),
        makeNode('Mul', ['chosen', 'both'], ['y'], 'scale'),
      ],
      [
        floatTensor('w', [4, 4], noise(16)),
        floatTensor('both', [4], noise(4)),
        floatTensor('limit', [], Float32Array.of(0)),
      ],
      { x: [2, 4] },
      { y: [2, 4] },
    );
  const { made, before, after } = await convert(() => decodeModel(encodeModel(make())), {
    x: floatFeed([2, 4], noise(8)),
  });
  const typesOf = ({ initializer }: GraphProto) => initializer.map((one) => [one.name, one.dataType]);
  const graph = graphOf(made);
  expect(typesOf(graph)).toEqual([
    ['both', T.FLOAT],
    ['limit', T.FLOAT16],
    ['both_float16', T.FLOAT16],
  ]);
  expect(graph.node.flatMap(graphsWithin).flatMap(typesOf)).toEqual([['w', T.FLOAT16]]);
  before.forEach((value, at) => expect(after[at]).toBeCloseTo(value, 2));
});

test('comparisons of what is float32 anyway stay exact', async () => {
  const make = () =>
    modelOf(
      [
        makeNode('Greater', ['x', 'limit'], ['above'], 'greater'),
        makeNode('Where', ['above', 'x', 'limit'], ['y'], 'where'),
      ],
      [floatTensor('limit', [1], Float32Array.of(1))],
      { x: [2] },
      { y: [2] },
    );
  const { made, nodes } = await convert(make, { x: floatFeed([2], Float32Array.of(1.00001, 0.5)) });
  expect(countLowered(graphOf(made), nodes)).toEqual({ lowered: { Where: 1 }, float: { Greater: 1 } });
});
