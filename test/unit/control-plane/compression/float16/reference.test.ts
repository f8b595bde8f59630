// Against what onnxruntime's Python float16 converter wrote (test/fixtures/float16/make_fixtures.py).

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { convertGraphs } from '#control-plane/compression/float16/to-float16.ts';
import { typedGraphs } from '#control-plane/compression/float16/typed-graphs.ts';
import { LeftInFloat } from '#control-plane/compression/left-in-float.ts';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';

import { graphsWithin } from '#control-plane/compression/onnx/walk.ts';
import { countOps } from '#control-plane/compression/quantize/op-counts.ts';
import { floatFeed, type FeedTensor, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { tensorFacts } from '../model-facts.ts';
import { runOnce } from '../running.ts';
import { noise } from '../small-models.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../../../fixtures/float16/${name}`, import.meta.url));
const flag: FeedTensor = { dtype: 'BOOL', shape: [], data: Uint8Array.of(1) };
const FEEDS: Record<string, TensorFeed> = {
  convolutional: { x: floatFeed([1, 3, 4, 4], noise(48)) },
  blocked: { x: floatFeed([2, 6], noise(12)), flag },
};

async function convert(name: string) {
  const model = decodeModel(fixture(`${name}.onnx`));
  const notes: string[] = [];
  const left = new LeftInFloat();
  convertGraphs(model, await typedGraphs(model, left), new Set(), left);
  left.tell((text) => notes.push(text));
  return { bytes: encodeModel(model), graph: graphOf(model), notes };
}

test('a model of which nothing is blocked has the operators, constants and outputs of the reference, bit for bit', async () => {
  const { bytes, graph } = await convert('convolutional');
  const reference = graphOf(decodeModel(fixture('convolutional.float16.onnx')));
  expect(countOps(graph.node)).toEqual(countOps(reference.node));
  expect(graph.initializer.map(tensorFacts)).toEqual(reference.initializer.map(tensorFacts));
  const feed = FEEDS['convolutional'] as TensorFeed;
  expect(await runOnce(bytes, feed)).toEqual(await runOnce(fixture('convolutional.float16.onnx'), feed));
});

test('between blocked operators numbers are not cast to float16 and back, as they are in the reference', async () => {
  const { bytes, graph, notes } = await convert('blocked');
  const reference = graphOf(decodeModel(fixture('blocked.float16.onnx')));
  const casts = countOps(graph.node)['Cast'] as number;
  expect(casts).toBeLessThan(countOps(reference.node)['Cast'] as number);
  expect({ ...countOps(graph.node), Cast: 0 }).toEqual({ ...countOps(reference.node), Cast: 0 });
  const best = graph.node.find(({ opType }) => opType === 'TopK');
  expect(graph.node.find(({ output }) => output[0] === best?.input[0])?.opType).toBe('Max');
  expect(notes).toEqual([
    'Max stays in float: it is unsafe or has no kernel in float16 (max)',
    'TopK stays in float: it is unsafe or has no kernel in float16 (topk)',
  ]);
  const branches = graph.node.flatMap(graphsWithin);
  expect(branches.map(({ node }) => node.map(({ opType }) => opType))).toEqual([
    ['Cast', 'Neg', 'Cast'],
    ['Cast', 'Exp', 'Cast'],
  ]);
  const feed = FEEDS['blocked'] as TensorFeed;
  const [made, original] = await Promise.all(
    [bytes, fixture('blocked.onnx')].map((one) => runOnce(one, feed)),
  );
  expect(made?.['whole']).toEqual(original?.['whole']);
  original?.['y']?.forEach((value, at) => expect(made?.['y']?.[at]).toBeCloseTo(Number(value), 1));
});
