// Against what onnxruntime's Python dynamic quantizer wrote (test/fixtures/dynamic/make_fixtures.py): same nodes in
// the same order, same initializers in the same order, bit for bit.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { quantizeDynamic } from '#control-plane/compression/dynamic/quantize-dynamic.ts';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import type { DynamicInt8Recipe } from '#protocol/compression.ts';
import { nodeFacts, tensorFacts } from '../model-facts.ts';

const RECIPES: Record<string, Pick<DynamicInt8Recipe, 'weight' | 'perChannel' | 'reduceRange'>> = {
  s8: { weight: 's8', perChannel: false, reduceRange: false },
  's8-channel': { weight: 's8', perChannel: true, reduceRange: false },
  's8-channel-reduced': { weight: 's8', perChannel: true, reduceRange: true },
  u8: { weight: 'u8', perChannel: false, reduceRange: false },
  'u8-channel': { weight: 'u8', perChannel: true, reduceRange: false },
  'u8-reduced': { weight: 'u8', perChannel: false, reduceRange: true },
};
const cases = ['attention', 'recurrent'].flatMap((model) =>
  Object.entries(RECIPES).map(([name, recipe]) => [model, name, recipe] as const),
);

const fixture = (name: string) =>
  readFileSync(new URL(`../../../../fixtures/dynamic/${name}`, import.meta.url));

test.each(cases)('%s quantized as %s is the reference, bit for bit', async (name, made, recipe) => {
  const model = decodeModel(fixture(`${name}.onnx`));
  await quantizeDynamic(model, { kind: 'dynamic-int8', ...recipe }, { note: () => {}, progress: () => {} });
  const graph = graphOf(decodeModel(encodeModel(model)));
  const reference = graphOf(decodeModel(fixture(`${name}.${made}.onnx`)));
  expect(graph.node.map(nodeFacts)).toEqual(reference.node.map(nodeFacts));
  expect(graph.initializer.map(tensorFacts)).toEqual(reference.initializer.map(tensorFacts));
});
