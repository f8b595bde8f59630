import { expect, test } from 'vitest';
import { encodeModel } from '#control-plane/compression/onnx/codec.ts';
import { makeNode } from '#control-plane/compression/onnx/messages.ts';
import { calibrateMinMax } from '#control-plane/compression/quantize/calibrate-minmax.ts';
import { calibratePercentile } from '#control-plane/compression/quantize/calibrate-percentile.ts';
import { quantizeModel } from '#control-plane/compression/quantize/qdq.ts';
import { quantOptions } from '#control-plane/compression/quantize/quant-options.ts';
import { calibrate, fitOpset } from '#control-plane/compression/quantize/static-int8.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import type { StaticInt8Recipe } from '#protocol/compression.ts';
import { contextOf, runOnce } from '../running.ts';
import { convFeeds, convModel, modelOf, noise } from '../small-models.ts';

test('calibration sees the extremes of every tensor over all samples', async () => {
  const feeds = convFeeds(5);
  const ranges = await calibrateMinMax(convModel(), feeds);
  expect([...ranges.keys()].toSorted()).toEqual(['c1', 'r1', 'x', 'y']);
  const inputs = feeds.flatMap((feed) => [
    ...new Float32Array(Uint8Array.from(feed['x']?.data ?? []).buffer),
  ]);
  expect(ranges.get('x')).toEqual({ min: Math.min(...inputs), max: Math.max(...inputs) });
  expect(ranges.get('r1')).toEqual({ min: 0, max: ranges.get('c1')?.max });
});

test('tensors that are not float are not calibrated', async () => {
  const nodes = [makeNode('Shape', ['x'], ['s'], 'shape'), makeNode('Reshape', ['x', 's'], ['y'], 'reshape')];
  const model = modelOf(nodes, [], { x: [2, 3] }, { y: [2, 3] });
  const ranges = await calibrateMinMax(model, [{ x: floatFeed([2, 3], noise(6)) }]);
  expect([...ranges.keys()].toSorted()).toEqual(['x', 'y']);
});

test('calibration without samples, or with NaN in one, is refused', async () => {
  const bad = { x: floatFeed([1, 2, 6, 6], noise(72).fill(Number.NaN, 5, 6)) };
  for (const feeds of [[], [bad]]) {
    await expect(calibrateMinMax(convModel(), feeds)).rejects.toMatchObject({ code: 'dataset-invalid' });
  }
});

test.each([
  ['minmax', 3],
  ['percentile', 6],
  ['entropy', 3],
] as const)(
  '%s calibration reads the first samples of the recipe and tells how far it is',
  async (method, runs) => {
    const feeds = convFeeds(4);
    const { context } = contextOf(feeds);
    const seen: string[] = [];
    const progress: typeof context.progress = ({ phase, done, total }) =>
      seen.push(`${phase} ${done}/${total}`);
    const ranges = await calibrate(convModel(), { method, samples: 3 }, { ...context, progress });
    expect(seen).toEqual(Array.from({ length: runs }, (_, index) => `calibrate ${index + 1}/${runs}`));
    const of = method === 'percentile' ? calibratePercentile : calibrateMinMax;
    expect(ranges).toEqual(await of(convModel(), feeds.slice(0, 3)));
  },
);

test('entropy calibration says that it is the same as minmax', async () => {
  const { context, notes } = contextOf(convFeeds(1));
  await calibrate(convModel(), { method: 'entropy', samples: 1 }, context);
  expect(notes.join()).toContain('minmax');
});

test('an operator without a rule is calibrated where it is asked for', async () => {
  const model = modelOf([makeNode('Tanh', ['x'], ['y'], 'tanh')], [], { x: [2, 3] }, { y: [2, 3] });
  const feeds = [{ x: floatFeed([2, 3], noise(6)) }];
  expect((await calibrateMinMax(model, feeds)).size).toBe(0);
  const asked = await calibrateMinMax(model, feeds, { operators: new Set(['Tanh']) });
  expect([...asked.keys()].toSorted()).toEqual(['x', 'y']);
});

const sigmoid = () => modelOf([makeNode('Sigmoid', ['x'], ['y'], 'sigmoid')], [], { x: ['n'] }, { y: ['n'] });

test('a percentile leaves out values so large that nearly none reach them', async () => {
  const many = noise(400_000).fill(50, 0, 2);
  const [range, whole] = await Promise.all(
    [calibratePercentile, calibrateMinMax].map(async (of) => {
      return (await of(sigmoid(), [{ x: floatFeed([many.length], many) }])).get('x');
    }),
  );
  expect(whole?.max).toBe(50);
  expect(range?.max).toBeLessThan(1.1);
  expect(range?.min).toBeGreaterThanOrEqual(whole?.min ?? 0);
});

test('a percentile takes samples of different shapes together', async () => {
  const values = noise(3000);
  const cut = [0, 1000, 1500, 3000];
  const feeds = [0, 1, 2].map((index) => {
    const part = values.slice(cut[index], cut[index + 1]);
    return { x: floatFeed([part.length], part) };
  });
  const apart = await calibratePercentile(sigmoid(), feeds);
  expect(apart.get('x')).toEqual(
    (await calibratePercentile(sigmoid(), [{ x: floatFeed([3000], values) }])).get('x'),
  );
});

test('a tensor of one value, of zeros, or of values too near for bins has a range by percentile', async () => {
  const rangeOf = async (values: Float32Array) =>
    (await calibratePercentile(sigmoid(), [{ x: floatFeed([values.length], values) }])).get('x');
  expect(await rangeOf(Float32Array.of(3, 3))).toEqual({ min: 3, max: 3 });
  expect(await rangeOf(new Float32Array(4))).toEqual({ min: 0, max: 0 });
  const near = 1 + 2 ** -22;
  expect(await rangeOf(Float32Array.of(1, near))).toEqual({ min: 1, max: near });
});

const recipe: StaticInt8Recipe = {
  kind: 'static-int8',
  activation: 'u8',
  symmetric: false,
  floatBias: false,
  perChannel: true,
  // Products of u8 and s8 saturate on processors without VNNI.
  reduceRange: true,
  calibration: { method: 'minmax', samples: 2 },
};

test.each([
  [9, true, 13],
  [12, true, 13],
  [9, false, 10],
  [12, false, 12],
])(
  'a model of operator set %d, a channel at a time: %s, is quantized at %d',
  async (opset, perChannel, raised) => {
    const model = convModel(opset);
    const feeds = convFeeds(2);
    const { context, notes } = contextOf(feeds);
    const asked = { ...recipe, perChannel };
    await fitOpset(model, asked, context);
    expect(model.opsetImport.map(({ version }) => Number(version))).toEqual([raised]);
    expect(notes.length).toBe(raised === opset ? 0 : 1);
    quantizeModel(model, await calibrate(model, asked.calibration, context), quantOptions(asked, new Set()));
    const made = await runOnce(encodeModel(model), feeds[0] ?? {});
    const float = await runOnce(encodeModel(convModel()), feeds[0] ?? {});
    const largest = Math.max(...(float['y'] ?? []).map((value) => Math.abs(Number(value))));
    (float['y'] ?? []).forEach((value, index) => {
      expect(Math.abs(Number(made['y']?.[index]) - Number(value))).toBeLessThan(largest * 0.05);
    });
  },
);
