import { expect, test } from 'vitest';
import type { Pruning } from '#protocol/compression.ts';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { readFloats } from '#control-plane/compression/onnx/tensor-data.ts';
import { pruneModel } from '#control-plane/compression/prune/prune.ts';
import { contextOf, imageFeeds, LayeredGraph } from './layered-graph.ts';
import { outputsOf, relativeError } from './run-model.ts';

const feeds = imageFeeds(24);
const magnitude: Pruning = { structure: 'magnitude', ratio: 0.5, importance: 'l1', roundTo: 1, refit: true };

/** 3 -> 8 -> 12 -> 5 channels, with a depthwise layer between. */
function net(): ModelProto {
  const graph = new LayeredGraph();
  graph.conv(8, 3);
  graph.node('Relu', []);
  graph.conv(8, 3, 8);
  graph.node('Relu', []);
  graph.conv(12, 3);
  return graph.build('matmul');
}

const weightsOf = (model: ModelProto) =>
  graphOf(model)
    .initializer.filter(({ dims }) => dims.length > 1)
    .map((tensor) => readFloats(tensor));

test.each([
  ['magnitude', true],
  ['magnitude', false],
  ['2:4', true],
  ['2:4', false],
] as const)('%s with refit %s leaves the share of weights that was asked for', async (structure, refit) => {
  const model = net();
  await pruneModel(model, { ...magnitude, structure, refit }, contextOf(feeds));
  const zeros = weightsOf(model).map(
    (values) => values.filter((value) => value === 0).length / values.length,
  );
  const first = structure === '2:4' ? 0 : 13 / 27;
  expect(zeros).toEqual([first, 0, 0.5, 0.5]);
});

test('2:4 takes two of each four channels at every place of the kernel', async () => {
  const model = net();
  await pruneModel(model, { ...magnitude, structure: '2:4', importance: 'activation' }, contextOf(feeds));
  const [, , values] = weightsOf(model);
  for (let output = 0; output < 12; output++)
    for (let tap = 0; tap < 9; tap++)
      for (const four of [0, 4]) {
        const row = [0, 1, 2, 3].map((channel) => values?.[output * 72 + (four + channel) * 9 + tap]);
        expect(row.filter((value) => value === 0)).toHaveLength(2);
      }
});

test('the refit of the weights that stay comes nearer to the original', async () => {
  const errorWith = async (refit: boolean) => {
    const model = net();
    const before = await outputsOf(model, feeds);
    await pruneModel(model, { ...magnitude, ratio: 0.6, refit }, contextOf(feeds));
    return relativeError(before, await outputsOf(model, feeds));
  };
  expect(await errorWith(true)).toBeLessThan(0.5 * (await errorWith(false)));
});

test('a depthwise layer keeps its weights, but is refitted where its inputs changed', async () => {
  for (const refit of [true, false]) {
    const model = net();
    const [, before] = weightsOf(model);
    await pruneModel(model, { ...magnitude, refit }, contextOf(feeds));
    const [, after] = weightsOf(model);
    expect(after?.every((value, at) => value === before?.[at])).toBe(!refit);
  }
});

test('it says that zeros save nothing on a CPU', async () => {
  const context = contextOf(feeds);
  await pruneModel(net(), magnitude, context);
  expect(context.notes.join()).toContain('no time on a CPU');
});
