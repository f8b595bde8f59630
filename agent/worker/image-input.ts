// One image, encoded or raw, to the contract's input tensor: decode, colour, resize (sharp, Lanczos),
// then protocol/preprocess.ts. Invariants: only PNG, JPEG and WebP are decoded, and no image of more
// than MAX_PIXELS, which decoded are 256 MB at most; EXIF orientation is not applied and alpha is dropped, as in training code.

import sharp, { type Sharp } from 'sharp';
import { HoldfastError } from '#protocol/errors.ts';
import { channelsOf, type ImagePreprocess } from '#protocol/model-contract.ts';
import { imageTensorShape, normalisePixels } from '#protocol/preprocess.ts';
import type { Tensor } from '../ports/runtime.ts';

/** Of up to four channels of 8 bits; half as many where a channel has 16. */
const MAX_PIXELS = 64 * 1024 ** 2;
/** A PNG's header stands at a fixed place. Source: ISO/IEC 15948, 5.2 and 11.2.2. */
const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const PNG_BIT_DEPTH_AT = 24;
const FIT = { stretch: 'fill', contain: 'contain', cover: 'cover' } as const;
const ENCODED_HINT = 'send a whole PNG, JPEG or WebP file of at most 64 megapixels';

/** Narrows sharp to what a worker needs, for the whole process: three decoders, one thread, no cache. */
export function restrictSharp(): void {
  sharp.cache(false);
  sharp.concurrency(1);
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: ['VipsForeignLoadPng', 'VipsForeignLoadJpeg', 'VipsForeignLoadWebp'] });
}

/**
 * `image` is BYTES [1] holding an encoded file, or UINT8 [H, W] or [H, W, C] holding gray or RGB pixels.
 * Returns the contract's float32 input, [1, C, H, W] or [1, H, W, C]. Throws `image-invalid`.
 */
export async function imageToTensor(image: Tensor, preprocess: ImagePreprocess): Promise<Tensor> {
  const pixels =
    image.dtype === 'BYTES'
      ? await decodeEncoded(onlyElement(image), preprocess)
      : await fitRaw(image, preprocess);
  const values = normalisePixels(pixels, preprocess);
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { dtype: 'FP32', shape: imageTensorShape(preprocess, 1), data };
}

/** Encoded image bytes to [height, width, channels] uint8 of the contract's size and colour. Throws `image-invalid`. */
export async function decodeEncoded(encoded: Uint8Array, preprocess: ImagePreprocess): Promise<Uint8Array> {
  return await toContractPixels(
    () => sharp(encoded, { limitInputPixels: pixelLimitOf(encoded), failOn: 'error', pages: 1 }),
    preprocess,
  );
}

function pixelLimitOf(encoded: Uint8Array): number {
  const isPng = PNG_SIGNATURE.equals(encoded.subarray(0, PNG_SIGNATURE.length));
  return isPng && encoded[PNG_BIT_DEPTH_AT] === 16 ? MAX_PIXELS / 2 : MAX_PIXELS;
}

async function fitRaw(image: Tensor, preprocess: ImagePreprocess): Promise<Uint8Array> {
  const [height = 0, width = 0, channels = 1] = image.shape;
  const isPixels = image.dtype === 'UINT8' && (image.shape.length === 2 || image.shape.length === 3);
  if (!isPixels || height < 1 || width < 1 || channels < 1 || channels > 4 || height * width > MAX_PIXELS) {
    throw invalid(
      `raw pixels must be UINT8 [H, W] or [H, W, 1 to 4], got ${image.dtype} [${image.shape.join(', ')}]`,
    );
  }
  if (image.data.byteLength !== height * width * channels) {
    throw invalid(
      `[${image.shape.join(', ')}] needs ${height * width * channels} bytes, got ${image.data.byteLength}`,
    );
  }
  const fits =
    height === preprocess.height && width === preprocess.width && channels === channelsOf(preprocess.colour);
  if (fits) return image.data;
  const raw = { width, height, channels: channels as 1 | 2 | 3 | 4 };
  return await toContractPixels(() => sharp(image.data, { raw, limitInputPixels: MAX_PIXELS }), preprocess);
}

async function toContractPixels(open: () => Sharp, preprocess: ImagePreprocess): Promise<Uint8Array> {
  const { width, height, resize, colour } = preprocess;
  try {
    return await open()
      .removeAlpha()
      .toColourspace(colour === 'gray' ? 'b-w' : 'srgb')
      .resize(width, height, { fit: FIT[resize], position: 'centre', background: '#000' })
      .raw({ depth: 'uchar' })
      .toBuffer();
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** The one element of a BYTES [1] tensor: a 4-byte little-endian length and that many bytes. */
function onlyElement(image: Tensor): Uint8Array {
  const { data } = image;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const declared = data.byteLength >= 4 ? view.getUint32(0, true) : -1;
  if (declared !== data.byteLength - 4) {
    throw invalid('a BYTES image must be exactly one element: its 4-byte length, then the file');
  }
  return data.subarray(4);
}

function invalid(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('image-invalid', `cannot read the image: ${what}`, {
    hint: ENCODED_HINT,
    ...(cause === undefined ? {} : { cause }),
  });
}
