import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '#agent/ports/runtime.ts';
import { imageToTensor, restrictSharp } from '#agent/worker/image-input.ts';
import { numbersOf } from '#agent/worker/tensor-types.ts';
import type { ImagePreprocess } from '#protocol/model-contract.ts';

const GRAY: ImagePreprocess = {
  kind: 'image', width: 4, height: 2, resize: 'stretch', colour: 'gray', scale: 1, mean: [0], std: [1], layout: 'nchw',
}; // prettier-ignore
const RGB: ImagePreprocess = { ...GRAY, colour: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] };

const pixels = (shape: number[], data: number[]): Tensor => ({
  dtype: 'UINT8',
  shape,
  data: Uint8Array.from(data),
});

function bytesTensor(encoded: Uint8Array): Tensor {
  const data = Buffer.alloc(4 + encoded.length);
  data.writeUInt32LE(encoded.length);
  data.set(encoded, 4);
  return { dtype: 'BYTES', shape: [1], data };
}

const solid = (background: string, width = 4, height = 2) =>
  sharp({ create: { width, height, channels: 3, background } });

describe('image input', () => {
  const encoded = new Map<string, Buffer>();
  beforeAll(async () => {
    for (const format of ['png', 'jpeg', 'webp', 'gif', 'tiff'] as const) {
      encoded.set(format, await solid('#ff8000').toFormat(format).toBuffer());
    }
    restrictSharp();
  });

  it('takes raw gray pixels of the right size as they are', async () => {
    const image = pixels([2, 4], [0, 1, 2, 3, 4, 5, 6, 255]);
    const tensor = await imageToTensor(image, { ...GRAY, scale: 0.5, mean: [1], std: [2] });
    expect(tensor.shape).toEqual([1, 1, 2, 4]);
    expect(Array.from(numbersOf(tensor))).toEqual([0, 1, 2, 3, 4, 5, 6, 255].map((v) => (v * 0.5 - 1) / 2));
  });

  it.each(['png', 'jpeg', 'webp'])('decodes %s', async (format) => {
    const tensor = await imageToTensor(bytesTensor(encoded.get(format) as Buffer), RGB);
    expect(tensor.shape).toEqual([1, 3, 2, 4]);
    const [red, green, blue] = [0, 8, 16].map((at) => numbersOf(tensor)[at] as number) as [
      number,
      number,
      number,
    ];
    expect(red).toBeGreaterThan(245);
    expect(Math.abs(green - 128)).toBeLessThan(10);
    expect(blue).toBeLessThan(10);
  });

  it.each(['gif', 'tiff'])('refuses %s, whose decoder is blocked', async (format) => {
    await expect(imageToTensor(bytesTensor(encoded.get(format) as Buffer), RGB)).rejects.toMatchObject({
      code: 'image-invalid',
    });
  });

  it('refuses SVG, which could name other files', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"/>');
    await expect(imageToTensor(bytesTensor(svg), RGB)).rejects.toMatchObject({ code: 'image-invalid' });
  });

  it('refuses a truncated file', async () => {
    const png = encoded.get('png') as Buffer;
    await expect(imageToTensor(bytesTensor(png.subarray(0, png.length - 20)), RGB)).rejects.toMatchObject({
      code: 'image-invalid',
    });
  });

  it('refuses an image of more than 64 megapixels by its header alone', async () => {
    const png = Buffer.from(encoded.get('png') as Buffer);
    png.writeUInt32BE(30_000, 16);
    png.writeUInt32BE(30_000, 20);
    png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
    await expect(imageToTensor(bytesTensor(png), RGB)).rejects.toMatchObject({
      code: 'image-invalid',
      message: expect.stringContaining('pixel limit') as string,
    });
  });

  it('orders channels blue first for bgr and last for nhwc', async () => {
    const image = pixels(
      [2, 4, 3],
      Array.from({ length: 24 }, (_, i) => i),
    );
    const bgr = await imageToTensor(image, { ...RGB, colour: 'bgr', layout: 'nhwc' });
    expect(bgr.shape).toEqual([1, 2, 4, 3]);
    expect(Array.from(numbersOf(bgr)).slice(0, 6)).toEqual([2, 1, 0, 5, 4, 3]);
  });

  it('pads with black to contain, and crops the centre to cover', async () => {
    const row = pixels([1, 4, 1], [10, 200, 200, 10]);
    const contained = Array.from(
      numbersOf(await imageToTensor(row, { ...GRAY, height: 4, resize: 'contain' })),
    );
    expect(contained.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(contained.slice(12)).toEqual([0, 0, 0, 0]);
    expect(contained[5]).toBeGreaterThan(150);
    const covered = Array.from(
      numbersOf(await imageToTensor(row, { ...GRAY, width: 2, height: 1, resize: 'cover' })),
    );
    expect(covered).toEqual([200, 200]);
  });

  it('turns colour to gray and gray to colour, and drops alpha', async () => {
    const colour = pixels(
      [2, 4, 4],
      Array.from({ length: 32 }, (_, i) => (i % 4 === 3 ? 7 : 90)),
    );
    expect(Array.from(numbersOf(await imageToTensor(colour, GRAY)))).toEqual(Array(8).fill(90));
    const gray = pixels([2, 4], Array(8).fill(50) as number[]);
    expect(Array.from(numbersOf(await imageToTensor(gray, RGB)))).toEqual(Array(24).fill(50));
  });

  it.each([
    ['too few bytes for its shape', pixels([2, 4], [1, 2])],
    ['five channels', pixels([2, 4, 5], Array(40).fill(0) as number[])],
    ['no height', pixels([0, 4], [])],
    ['another type', { dtype: 'INT8', shape: [2, 4], data: new Uint8Array(8) } as const],
    [
      'two elements',
      { dtype: 'BYTES', shape: [2], data: Buffer.from([1, 0, 0, 0, 9, 1, 0, 0, 0, 9]) } as const,
    ],
    ['no element', { dtype: 'BYTES', shape: [1], data: new Uint8Array(0) } as const],
  ])('refuses %s', async (_what, image) => {
    await expect(imageToTensor(image, GRAY)).rejects.toMatchObject({ code: 'image-invalid' });
  });
});
