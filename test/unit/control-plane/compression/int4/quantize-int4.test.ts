// What 4-bit weights do to small models, on ONNX Runtime.

import { expect, test } from 'vitest';
import { quantizeInt4 } from '#control-plane/compression/int4/quantize-int4.ts';
import { countLowered } from '#control-plane/compression/lowered-nodes.ts';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeIntAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import type { ModelProto, NodeProto, TensorProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import type { Int4Recipe } from '#protocol/compression.ts';
import { floatAttribute } from '../attribute.ts';
import { contextOf, runOnce } from '../running.ts';
import { modelOf, noise } from '../small-models.ts';

const recipe = (part: Partial<Int4Recipe>): Int4Recipe => ({
  kind: 'int4',
  algorithm: 'rtn',
  blockSize: 32,
  symmetric: false,
  ...part,
});

/** x [2, K] -> nodes -> y [2, N]. */
const model = (node: NodeProto[], initializer: TensorProto[], [k, n]: [number, number]) =>
  modelOf(node, initializer, { x: [2, k] }, { y: [2, n] });

const matMul = (rows: number, columns: number, weight = noise(rows * columns)) =>
  model(
    [makeNode('MatMul', ['x', 'w'], ['y'], 'mm')],
    [floatTensor('w', [rows, columns], weight)],
    [rows, columns],
  );

const rmsOf = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

/** How far the quantized model's y is from the original's, as a share of it. */
async function errorOf(make: () => ModelProto, part: Partial<Int4Recipe>, columns: number) {
  const made = make();
  const { context, notes } = contextOf([]);
  const nodes = await quantizeInt4(made, recipe(part), context);
  const feed = { x: floatFeed([2, columns], noise(2 * columns, 5)) };
  const [before, after] = await Promise.all(
    [make(), made].map(async (one) => ((await runOnce(encodeModel(one), feed))['y'] ?? []).map(Number)),
  );
  const differences = (before ?? []).map((value, at) => value - (after?.[at] ?? NaN));
  return { share: rmsOf(differences) / rmsOf(before ?? []), made, notes, nodes };
}

test.each<[string, Partial<Int4Recipe>, number]>([
  ['round to nearest', {}, 64],
  ['round to nearest, symmetric', { symmetric: true }, 64],
  ['k-quant', { algorithm: 'k-quant' }, 64],
  ['k-quant on an odd number of blocks', { algorithm: 'k-quant' }, 96],
  ['blocks that the rows do not fill', { blockSize: 128 }, 71],
])('%s keeps the outputs within the noise of 4 bits', async (_, part, rows) => {
  const { share, nodes, made } = await errorOf(() => matMul(rows, 10), part, rows);
  expect(share).toBeGreaterThan(0);
  expect(share).toBeLessThan(0.15);
  expect(countLowered(graphOf(made), nodes)).toEqual({ lowered: { MatMulNBits: 1 }, float: {} });
});

test('a smaller block is closer to the original', async () => {
  const shareOf = async (blockSize: Int4Recipe['blockSize']) =>
    (await errorOf(() => matMul(256, 20), { blockSize }, 256)).share;
  expect(await shareOf(16)).toBeLessThan(await shareOf(256));
});

test('k-quant keeps blocks of one sign, which the reference cuts off', async () => {
  const positive = noise(640).map((value) => 2 + value / 2);
  const { share } = await errorOf(() => matMul(64, 10, positive), { algorithm: 'k-quant' }, 64);
  expect(share).toBeLessThan(0.15);
});

test('a Gemm with a transposed weight and a bias is quantized too', async () => {
  const make = () =>
    model(
      [makeNode('Gemm', ['x', 'w', 'b'], ['y'], 'fc', [makeIntAttribute('transB', 1)])],
      [floatTensor('w', [10, 64], noise(640)), floatTensor('b', [10], noise(10, 3))],
      [64, 10],
    );
  const { share, made, nodes } = await errorOf(make, {}, 64);
  expect(share).toBeLessThan(0.15);
  expect(countLowered(graphOf(made), nodes)).toEqual({ lowered: { MatMulNBits: 1 }, float: { Add: 1 } });
});

test('what has no constant finite matrix stays in float, and the notes say why', async () => {
  const broken = noise(256, 2).fill(Infinity, 0, 1);
  const nodes = [
    makeNode('MatMul', ['x', 'stack'], ['s'], 'stacked'),
    makeNode('MatMul', ['x', 'broken'], ['i'], 'infinite'),
    makeNode('MatMul', ['s', 'i'], ['p'], 'product'),
    makeNode('Gemm', ['x', 'w'], ['g'], 'scaled', [floatAttribute('alpha', 0.5)]),
    makeNode('Add', ['p', 'g'], ['y'], 'sum'),
  ];
  const made = modelOf(
    nodes,
    [
      floatTensor('stack', [3, 16, 16], noise(768)),
      floatTensor('broken', [16, 16], broken),
      floatTensor('w', [16, 16], noise(256)),
    ],
    { x: [16, 16] },
    { y: [3, 16, 16] },
  );
  const { context, notes } = contextOf([]);
  await quantizeInt4(made, recipe({}), context);
  expect(graphOf(made).node).toEqual(nodes);
  expect(notes.join('\n')).toContain('MatMul stays in float: its weight is not a float32 matrix (stacked)');
  expect(notes.join('\n')).toContain('MatMul stays in float: its weight is not finite (infinite)');
  expect(notes.join('\n')).toContain('MatMul stays in float: its second input is not a constant (product)');
  expect(notes.join('\n')).toContain('Gemm stays in float: it scales its product');
  expect(made.opsetImport).toHaveLength(1);
});
