import { expect, test } from 'vitest';
import { measureLatencyRatio } from '#control-plane/compression/latency/paired-latency.ts';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeNode } from '#control-plane/compression/onnx/messages.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { convBytes, convFeeds, modelOf, noise } from '../small-models.ts';

const SIDE = 192;

/** x [192, 192] times a matrix, `times` times over. */
function matMuls(times: number): Uint8Array {
  const name = (index: number) => (index === 0 ? 'x' : index === times ? 'y' : `t${index}`);
  const nodes = Array.from({ length: times }, (_, index) =>
    makeNode('MatMul', [name(index), 'w'], [name(index + 1)], `m${index}`),
  );
  const weight = floatTensor('w', [SIDE, SIDE], noise(SIDE * SIDE));
  return encodeModel(modelOf(nodes, [weight], { x: [SIDE, SIDE] }, { y: [SIDE, SIDE] }));
}

test('a model with a thirtieth of the work is faster in the median pair, the other way round slower', async () => {
  const feeds = [{ x: floatFeed([SIDE, SIDE], noise(SIDE * SIDE)) }];
  const [small, large] = [matMuls(1), matMuls(30)];
  const faster = await measureLatencyRatio(large, small, feeds, { pairs: 31, runsPerHalf: 3 });
  expect(faster.pairs).toBe(31);
  expect(faster.median).toBeLessThan(1);
  expect(faster.low).toBeLessThanOrEqual(faster.median);
  expect(faster.median).toBeLessThanOrEqual(faster.high);
  const slower = await measureLatencyRatio(small, large, feeds, { pairs: 31, runsPerHalf: 3 });
  expect(slower.median).toBeGreaterThan(1);
});

test('an abort ends the measurement between runs', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  const options = { pairs: 1000, signal };
  await expect(measureLatencyRatio(convBytes(), convBytes(), convFeeds(1), options)).rejects.toThrow(
    'enough',
  );
});

test('no feeds, feeds that do not fit, and a number of pairs out of bounds are refused', async () => {
  const measure = (feeds: Parameters<typeof measureLatencyRatio>[2], pairs: number) =>
    measureLatencyRatio(convBytes(), convBytes(), feeds, { pairs });
  await expect(measure([], 1)).rejects.toMatchObject({ code: 'dataset-invalid' });
  await expect(measure([{}], 1)).rejects.toMatchObject({ code: 'dataset-invalid' });
  for (const pairs of [0, 1.5, 1e9]) await expect(measure(convFeeds(1), pairs)).rejects.toThrow(RangeError);
});

test('a model that does not load is refused', async () => {
  const model = modelOf([makeNode('Sigmoid', ['nothing'], ['y'], 'bad')], [], { x: [1] }, { y: [1] });
  expect(graphOf(model).node).toHaveLength(1);
  await expect(
    measureLatencyRatio(convBytes(), encodeModel(model), convFeeds(1), { pairs: 1 }),
  ).rejects.toMatchObject({ code: 'model-load-failed' });
});
