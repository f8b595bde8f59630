import { expect, test } from 'vitest';
import { OutputJudge } from '#control-plane/compression/mixed/output-judge.ts';
import { trialsOf } from '#control-plane/compression/mixed/quantized-copy.ts';
import { searchMixedPrecision } from '#control-plane/compression/mixed/search.ts';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { convFeeds, convModel } from '../small-models.ts';
import { calibrated, contextOf, recipe, unevenFeeds, unevenModel } from './uneven-model.ts';

test('only the layers that 8 bits harm stay in float, and the loss is then within its limit', async () => {
  const model = unevenModel();
  const context = contextOf(unevenFeeds(40));
  const ranges = await calibrated(model, context);
  const asked = recipe({ maxLoss: 0.05, latency: false });
  const { exclude, sensitivity } = await searchMixedPrecision(model, asked, ranges, context);
  expect([...exclude].toSorted()).toEqual(['last', 'uneven']);
  expect(sensitivity.slice(0, 2).map(({ layer }) => layer.name).toSorted()).toEqual(['last', 'uneven']);
  const judge = await OutputJudge.of(encodeModel(model), context, 4);
  const make = trialsOf(model, asked, ranges);
  expect((await judge.judge(make(new Set()))).lost).toBeGreaterThan(0.05);
  expect((await judge.judge(make(exclude))).lost).toBeLessThanOrEqual(0.05);
  expect(context.phases).toEqual(new Set(['calibrate', 'sensitivity', 'mixed']));
  expect(context.notes.join('\n')).toMatch(/layer uneven \(MatMul\) left in float: alone in 8 bits it gives -?\d/);
  expect(context.notes.at(-1)).toMatch(/^accuracy: 2 of 4 layers left in float: agreement lost \d+\.\d\d % of 5\.00 %/);
}); // prettier-ignore

test('labels make accuracy the metric', async () => {
  const feeds = unevenFeeds(40);
  const model = unevenModel();
  const context = contextOf(feeds, feeds.map(() => 0));
  const asked = recipe({ maxLoss: 1, latency: false });
  await searchMixedPrecision(model, asked, await calibrated(model, context), context);
  expect(context.notes).toHaveLength(1);
  expect(context.notes[0]).toMatch(/^accuracy: no layer has to stay in float: accuracy lost /);
}); // prettier-ignore

test('nothing is left in float where everything in 8 bits is good enough; only names are given', async () => {
  const model = convModel();
  for (const node of graphOf(model).node) node.name = '';
  const context = contextOf(convFeeds(6));
  const ranges = await calibrated(model, context);
  const named = convModel();
  graphOf(named).node.forEach((node, at) => (node.name = `${node.opType}_${at}`));
  const asked = recipe({ maxLoss: 0.1, latency: false });
  expect((await searchMixedPrecision(model, asked, ranges, context)).exclude).toEqual(new Set());
  expect(Buffer.from(encodeModel(model))).toEqual(Buffer.from(encodeModel(named)));
});

test('a recipe without mixed precision leaves everything as it is, names too', async () => {
  const model = convModel();
  for (const node of graphOf(model).node) node.name = '';
  const before = encodeModel(model);
  const context = contextOf(convFeeds(2));
  const result = await searchMixedPrecision(model, recipe(), await calibrated(model, context), context);
  expect(result).toEqual({ exclude: new Set(), sensitivity: [] });
  expect(Buffer.from(encodeModel(model))).toEqual(Buffer.from(before));
  expect(context.notes).toEqual([]);
});

test('a limit of no loss at all leaves every layer in float', async () => {
  const model = convModel();
  const context = contextOf(convFeeds(4));
  const asked = recipe({ maxLoss: 0, latency: false });
  const { exclude } = await searchMixedPrecision(model, asked, await calibrated(model, context), context);
  expect(exclude).toEqual(new Set(['conv1', 'relu1', 'conv2']));
});

test('layers that do not pay are raced on whole models, before the accuracy is looked at', async () => {
  const model = convModel();
  const context = contextOf(convFeeds(4));
  const asked = recipe({ maxLoss: 0.5, latency: true });
  const { exclude } = await searchMixedPrecision(model, asked, await calibrated(model, context), context);
  const names = graphOf(model).node.map(({ name }) => name);
  expect([...exclude].every((name) => names.includes(name))).toBe(true);
  expect(context.phases).toContain('latency');
  expect(context.notes.some((note) => note.startsWith('latency:'))).toBe(exclude.size > 0);
  expect(context.notes.at(-1)).toMatch(/^accuracy: /);
});

test('no samples to judge on are refused', async () => {
  const model = convModel();
  const ranges = await calibrated(model, contextOf(convFeeds(2)));
  const asked = recipe({ maxLoss: 0.1, latency: false });
  await expect(searchMixedPrecision(model, asked, ranges, contextOf([]))).rejects.toMatchObject({
    code: 'dataset-invalid',
  });
});
