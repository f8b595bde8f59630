// A model measured beside its original in the real child process: the committed digit readers on real images.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluate } from '#control-plane/evaluation/runner.ts';
import { modelContractSchema } from '#protocol/model-contract.ts';
import { datasetBytes, testImages } from '#test/demo/digits-data.ts';

const digits = (version: number, name: string) =>
  readFileSync(new URL(`../fixtures/models/digits/v${version}/${name}`, import.meta.url));
const contract = modelContractSchema.parse(JSON.parse(digits(1, 'contract.json').toString()));
const settings = { latencyRuns: 40, warmUpRuns: 5 };

let scratchRoot: string;
let dataset: Uint8Array;
beforeAll(async () => {
  scratchRoot = mkdtempSync(join(tmpdir(), 'evaluation-test-'));
  dataset = datasetBytes(await testImages(), 300);
});
afterAll(() => rmSync(scratchRoot, { recursive: true }));

test('a model beside itself changes nothing, and nothing is left behind', async () => {
  const weights = digits(1, 'weights.onnx');
  const found = await evaluate({
    model: weights,
    reference: weights,
    dataset,
    contract,
    scratchRoot,
    settings,
  });
  expect(found.comparison).toMatchObject({ accuracyChange: 0, disagreements: [] });
  expect(found.comparison?.perClassChange.every(({ change }) => change === 0)).toBe(true);
  expect(found.comparison?.latencyRatio.pairs).toBe(40);
  expect(readdirSync(scratchRoot)).toEqual([]);
});

test('a version that does everything twice takes longer than its original, in every measure of it', async () => {
  const found = await evaluate({
    model: digits(3, 'weights.onnx'),
    reference: digits(1, 'weights.onnx'),
    dataset,
    contract,
    scratchRoot,
    settings,
  });
  const { median, low, high } = found.comparison?.latencyRatio ?? { median: 0, low: 0, high: 0 };
  expect(median).toBeGreaterThan(1.3);
  expect(low).toBeLessThanOrEqual(median);
  expect(high).toBeGreaterThanOrEqual(median);
});

test('each sample that is answered differently is an example, and classes add up to the whole', async () => {
  const found = await evaluate({
    model: digits(4, 'weights.onnx'),
    reference: digits(1, 'weights.onnx'),
    dataset,
    contract,
    scratchRoot,
    settings,
  });
  const { comparison, perClass, disagreement } = found;
  expect(comparison?.disagreements).toHaveLength(Math.min(20, Math.round(300 * (disagreement ?? 0))));
  expect(comparison?.disagreements.every(({ original, variant }) => original !== variant)).toBe(true);
  const countOf = new Map(perClass.map(({ label, count }) => [label, count]));
  const lost = comparison?.perClassChange.reduce(
    (sum, { label, change }) => sum + change * (countOf.get(label) ?? 0),
    0,
  );
  expect((lost ?? 0) / 300).toBeCloseTo(comparison?.accuracyChange ?? 1, 10);
});

test('memory is that of a process with the one model, and a slow model is timed less often', async () => {
  const hurried = { ...settings, maxLatencyMs: 0 };
  const shared = { model: digits(1, 'weights.onnx'), dataset, contract, scratchRoot, settings: hurried };
  const alone = await evaluate(shared);
  const beside = await evaluate({ ...shared, reference: digits(3, 'weights.onnx') });
  expect(alone.comparison).toBeNull();
  expect(alone.latencyRuns).toBe(10);
  expect(alone.memoryBytes).toBeGreaterThan(20e6);
  expect(Math.abs(alone.memoryBytes - beside.memoryBytes) / alone.memoryBytes).toBeLessThan(0.15);
});
