// Against what onnxruntime's Python 4-bit quantizer wrote (test/fixtures/int4/make_fixtures.py): same nodes, same
// initializers in the same order, bit for bit. Its k-quant sorts the nodes, so there they are compared by output.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { quantizeInt4 } from '#control-plane/compression/int4/quantize-int4.ts';
import type { Int4Recipe } from '#protocol/compression.ts';
import { nodeFacts, tensorFacts } from '../model-facts.ts';

const rtn = (blockSize: Int4Recipe['blockSize'], symmetric: boolean): Int4Recipe => ({
  kind: 'int4',
  algorithm: 'rtn',
  blockSize,
  symmetric,
});
const kQuant = (blockSize: Int4Recipe['blockSize']): Int4Recipe => ({
  kind: 'int4',
  algorithm: 'k-quant',
  blockSize,
  symmetric: false,
});
const CASES: [string, string, Int4Recipe][] = [
  ['odd', 'rtn-16', rtn(16, false)],
  ['odd', 'rtn-32', rtn(32, false)],
  ['odd', 'rtn-256', rtn(256, false)],
  ['odd', 'rtn-16-symmetric', rtn(16, true)],
  ['odd', 'rtn-32-symmetric', rtn(32, true)],
  ['odd', 'rtn-256-symmetric', rtn(256, true)],
  ['even', 'k-quant-16', kQuant(16)],
  ['even', 'k-quant-64', kQuant(64)],
  ['even', 'k-quant-256', kQuant(256)],
];

const fixture = (name: string) => readFileSync(new URL(`../../../../fixtures/int4/${name}`, import.meta.url));

test.each(CASES)('%s quantized as %s is the reference, bit for bit', async (name, made, recipe) => {
  const model = decodeModel(fixture(`${name}.onnx`));
  await quantizeInt4(model, recipe, { note: () => {}, progress: () => {} });
  const graph = graphOf(decodeModel(encodeModel(model)));
  const reference = graphOf(decodeModel(fixture(`${name}.${made}.onnx`)));
  const byOutput = (a: { output: string[] }, b: { output: string[] }) =>
    (a.output[0] ?? '').localeCompare(b.output[0] ?? '');
  const nodes = [graph, reference].map(({ node }) => node.map(nodeFacts));
  if (recipe.algorithm === 'k-quant') nodes.forEach((facts) => facts.sort(byOutput));
  expect(nodes[0]).toEqual(nodes[1]);
  expect(graph.initializer.map(tensorFacts)).toEqual(reference.initializer.map(tensorFacts));
});
