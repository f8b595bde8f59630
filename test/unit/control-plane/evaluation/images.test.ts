import sharp from 'sharp';
import { expect, test } from 'vitest';
import { imageFeeds } from '#control-plane/evaluation/images/image-feeds.ts';
import { prepareImage } from '#control-plane/evaluation/images/prepare-image.ts';
import { decodeLabelledImages } from '#control-plane/evaluation/labelled-images.ts';
import type { ImagePreprocess, ModelContract } from '#protocol/model-contract.ts';
import { encodeSafetensors, type SafeTensor } from '#protocol/safetensors.ts';

const tensor = (dtype: SafeTensor['dtype'], shape: number[], data: Uint8Array): SafeTensor => ({
  dtype,
  shape,
  data,
});

function dataset(shape: [number, number, number, number], pixel: (at: number) => number, labels = [0, 1]) {
  const size = shape.reduce((a, b) => a * b, 1);
  return encodeSafetensors({
    images: tensor(
      'U8',
      shape,
      Uint8Array.from({ length: size }, (_, at) => pixel(at)),
    ),
    labels: tensor(
      'U8',
      [shape[0]],
      Uint8Array.from({ length: shape[0] }, (_, at) => labels[at] ?? 0),
    ),
  });
}

const preprocess = (changed: Partial<ImagePreprocess> = {}): ImagePreprocess => ({
  kind: 'image', width: 2, height: 2, resize: 'stretch', colour: 'gray', scale: 1 / 255, mean: [0.5], std: [0.5],
  layout: 'nchw', ...changed,
}); // prettier-ignore

const contract = (changed: Partial<ImagePreprocess> = {}): Pick<ModelContract, 'inputs' | 'preprocess'> => ({
  inputs: [{ name: 'image', dtype: 'FP32', shape: [-1, -1, -1, -1] }],
  preprocess: preprocess(changed),
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

const refused = (bytes: Uint8Array) =>
  expect(() => decodeLabelledImages(bytes)).toThrow(expect.objectContaining({ code: 'dataset-invalid' }));

test('labels are read as U8, I32 or I64', () => {
  const images = tensor('U8', [2, 1, 1, 1], Uint8Array.of(5, 6));
  const wide = [
    tensor('U8', [2], Uint8Array.of(3, 4)),
    tensor('I32', [2], new Uint8Array(Int32Array.of(3, 4).buffer)),
    tensor('I64', [2], new Uint8Array(BigInt64Array.of(3n, 4n).buffer)),
  ];
  for (const labels of wide) {
    const decoded = decodeLabelledImages(encodeSafetensors({ images, labels }));
    expect(decoded.labels).toEqual([3, 4]);
    expect([...decoded.pixels(1)]).toEqual([6]);
  }
});

test('what is no dataset of labelled images is refused with a reason', () => {
  const images = tensor('U8', [2, 1, 1, 1], Uint8Array.of(5, 6));
  const labels = tensor('U8', [2], Uint8Array.of(3, 4));
  refused(encodeSafetensors({ images }));
  refused(encodeSafetensors({ images, labels: tensor('U8', [1], Uint8Array.of(1)) }));
  refused(encodeSafetensors({ images, labels: tensor('F32', [2], new Uint8Array(8)) }));
  refused(
    encodeSafetensors({ images, labels: tensor('I32', [2], new Uint8Array(Int32Array.of(1, -1).buffer)) }),
  );
  refused(encodeSafetensors({ images: tensor('U8', [2, 1, 1], Uint8Array.of(5, 6)), labels }));
  refused(
    encodeSafetensors({
      images: tensor('U8', [1, 1, 1, 2], Uint8Array.of(5, 6)),
      labels: tensor('U8', [1], Uint8Array.of(1)),
    }),
  );
  refused(
    encodeSafetensors({
      images: tensor('U8', [0, 1, 1, 1], new Uint8Array(0)),
      labels: tensor('U8', [0], new Uint8Array(0)),
    }),
  );
});

test('images become inputs by the contract, batch by batch', async () => {
  const images = decodeLabelledImages(dataset([3, 2, 2, 1], (at) => (at < 8 ? 255 : 0)));
  const feeds = await collect(imageFeeds(images, contract(), [0, 1, 2], 2));
  expect(feeds.map((feed) => feed['image']?.shape)).toEqual([
    [2, 1, 2, 2],
    [1, 1, 2, 2],
  ]);
  const values = feeds.map((feed) => [
    ...new Float32Array(Uint8Array.from(feed['image']?.data ?? []).buffer),
  ]);
  expect(values).toEqual([Array.from({ length: 8 }, () => 1), [-1, -1, -1, -1]]);
});

test('an image of another size is stretched as sharp does with fit fill and Lanczos3', async () => {
  const images = decodeLabelledImages(dataset([1, 3, 5, 1], (at) => at * 16));
  const resized = await prepareImage(images, 0, preprocess({ width: 4, height: 4 }));
  const expected = await sharp(images.pixels(0), { raw: { width: 5, height: 3, channels: 1 } })
    .resize(4, 4, { fit: 'fill', kernel: 'lanczos3' })
    .toColourspace('b-w')
    .raw()
    .toBuffer();
  expect(resized).toEqual(expected);
  expect(resized).toHaveLength(16);
});

test('gray becomes three equal channels, colour becomes one', async () => {
  const gray = decodeLabelledImages(dataset([1, 2, 2, 1], (at) => at * 50));
  const rgb = await prepareImage(gray, 0, preprocess({ colour: 'rgb' }));
  expect([...rgb]).toEqual([0, 0, 0, 50, 50, 50, 100, 100, 100, 150, 150, 150]);
  const white = decodeLabelledImages(dataset([1, 2, 2, 3], () => 255));
  expect([...(await prepareImage(white, 0, preprocess()))]).toEqual([255, 255, 255, 255]);
});

test('colour images keep their channels, in the order that the contract names', async () => {
  const images = decodeLabelledImages(dataset([1, 2, 2, 3], (at) => [10, 20, 30][at % 3] as number));
  const three = { mean: [0, 0, 0], std: [1, 1, 1], scale: 1 };
  const [bgr] = await collect(imageFeeds(images, contract({ colour: 'bgr', ...three }), [0]));
  const values = new Float32Array(Uint8Array.from(bgr?.['image']?.data ?? []).buffer);
  expect([values[0], values[4], values[8]]).toEqual([30, 20, 10]);
});

test('a contract that takes no images is refused', async () => {
  const images = decodeLabelledImages(dataset([1, 2, 2, 1], () => 0));
  const none = { ...contract(), preprocess: { kind: 'none' as const } };
  const integers = { ...contract(), inputs: [{ name: 'image', dtype: 'UINT8' as const, shape: [] }] };
  for (const wrong of [none, integers]) {
    await expect(imageFeeds(images, wrong, [0]).next()).rejects.toMatchObject({ code: 'contract-mismatch' });
  }
});
