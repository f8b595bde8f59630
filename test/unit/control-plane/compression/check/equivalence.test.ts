import { expect, test } from 'vitest';
import { checkEquivalent, REORDERED_SUMS } from '#control-plane/compression/check/equivalence.ts';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeIntAttribute, makeNode, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import { TensorProtoDataType as T } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { convBytes, convFeeds, convModel, modelOf } from '../small-models.ts';

const differs = (message: RegExp): unknown =>
  expect.objectContaining({
    code: 'compression-failed',
    message: expect.stringMatching(message) as string,
  });

/** x [4] -> x * factor -> Cast to `type` -> y */
function scaled(factor: number, type: number = T.FLOAT): Uint8Array {
  const nodes = [
    makeNode('Mul', ['x', 'k'], ['m'], 'mul'),
    makeNode('Cast', ['m'], ['y'], 'cast', [makeIntAttribute('to', type)]),
  ];
  const model = modelOf(nodes, [floatTensor('k', [], Float32Array.of(factor))], { x: [4] }, {});
  graphOf(model).output = [makeValueInfo('y')];
  return encodeModel(model);
}

const feed = (...values: number[]) => [{ x: floatFeed([4], Float32Array.from(values)) }];
const compare = (before: Uint8Array, after: Uint8Array, samples = feed(1, 2, -3, 100)) =>
  checkEquivalent(before, after, samples, REORDERED_SUMS);

test('a model is equivalent to itself, and to one whose sums are a little off', async () => {
  await compare(convBytes(), convBytes(), convFeeds(2) as never);
  await compare(scaled(1), scaled(1 + 5e-5));
  await compare(scaled(1, T.FLOAT16), scaled(1 + 5e-4, T.FLOAT16));
});

test('what is too far off is told with the output, the value and by how much', async () => {
  await expect(compare(scaled(1), scaled(1.01))).rejects.toThrow(
    differs(/output "y": value 3 was 100 and is 101, 1 apart where 0\.01/),
  );
  await expect(compare(scaled(1, T.FLOAT16), scaled(1.01, T.FLOAT16))).rejects.toThrow(differs(/value 3/));
});

test('a difference on a later sample is found', async () => {
  const samples = [...feed(0, 0, 0, 0), ...feed(0, 0, 0, 1)];
  await expect(compare(scaled(1), scaled(1.01), samples)).rejects.toThrow(differs(/value 3/));
});

test('whole numbers must be equal', async () => {
  await expect(compare(scaled(1, T.INT64), scaled(1.01, T.INT64))).rejects.toThrow(
    differs(/was 100 and is 101/),
  );
});

test('NaN and infinity pass only where they stood before', async () => {
  await compare(scaled(1), scaled(1), feed(Infinity, NaN, -Infinity, 1));
  await expect(compare(scaled(1), scaled(Infinity))).rejects.toThrow(differs(/is Infinity/));
  await expect(compare(scaled(1), scaled(NaN))).rejects.toThrow(differs(/is NaN/));
  await expect(compare(scaled(1), scaled(0), feed(Infinity, 0, 0, 0))).rejects.toThrow(
    differs(/was Infinity and is NaN/),
  );
  await expect(compare(scaled(1), scaled(-1), feed(Infinity, 0, 0, 0))).rejects.toThrow(
    differs(/was Infinity and is -Infinity/),
  );
});

test('another type, shape or missing output is refused', async () => {
  await expect(compare(scaled(1), scaled(1, T.DOUBLE))).rejects.toThrow(
    differs(/was float32 \[4\] and is float64 \[4\]/),
  );
  const [model, other] = [convModel(), convModel()];
  graphOf(other).output = [makeValueInfo('r1')];
  await expect(
    checkEquivalent(encodeModel(model), encodeModel(other), convFeeds(1), REORDERED_SUMS),
  ).rejects.toThrow(differs(/output "y"/));
});

test('nothing to compare on proves nothing', async () => {
  await expect(compare(scaled(1), scaled(1), [])).rejects.toThrow(
    expect.objectContaining({ code: 'dataset-invalid' }),
  );
});
