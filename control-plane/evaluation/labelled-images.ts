// A dataset of labelled images: safetensors with `images` U8 [N, H, W, C] and `labels` U8, I32 or I64 [N].
// Everything is a view on the file's bytes.

import { HoldfastError } from '#protocol/errors.ts';
import { decodeSafetensors, type SafeTensor } from '#protocol/safetensors.ts';

export interface LabelledImages {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** 1 (gray) or 3 (RGB). */
  readonly channels: number;
  /** One class index an image. */
  readonly labels: readonly number[];
  /** Pixels of one image, [height, width, channels]. */
  pixels(index: number): Uint8Array;
}

/** Throws `dataset-invalid` or `safetensors-malformed`. */
export function decodeLabelledImages(bytes: Uint8Array): LabelledImages {
  const tensors = decodeSafetensors(bytes);
  const images = tensors.get('images');
  const labels = tensors.get('labels');
  if (images === undefined || labels === undefined)
    throw invalid('it needs the tensors "images" and "labels"');
  const [count = 0, height = 0, width = 0, channels = 0] = images.shape;
  if (images.dtype !== 'U8' || images.shape.length !== 4) throw invalid('"images" must be U8 [N, H, W, C]');
  if (channels !== 1 && channels !== 3) throw invalid(`"images" has ${channels} channels, expected 1 or 3`);
  if (count * height * width === 0) throw invalid('"images" is empty');
  if (labels.shape.length !== 1 || labels.shape[0] !== count)
    throw invalid('"labels" must have one entry an image');
  const size = height * width * channels;
  return {
    count,
    height,
    width,
    channels,
    labels: labelsOf(labels),
    pixels: (index) => images.data.subarray(index * size, (index + 1) * size),
  };
}

/** No dataset has classes past this. */
const MAX_CLASS = 1_000_000;

function labelsOf({ dtype, data }: SafeTensor): number[] {
  const values = integersOf(dtype, Uint8Array.from(data).buffer);
  if (!values.every((label) => label >= 0 && label <= MAX_CLASS)) throw invalid('a label is out of range');
  return values;
}

function integersOf(dtype: SafeTensor['dtype'], buffer: ArrayBuffer): number[] {
  if (dtype === 'U8') return Array.from(new Uint8Array(buffer));
  if (dtype === 'I32') return Array.from(new Int32Array(buffer));
  if (dtype === 'I64') return Array.from(new BigInt64Array(buffer), Number);
  throw invalid('"labels" must be U8, I32 or I64');
}

function invalid(what: string): HoldfastError {
  return new HoldfastError('dataset-invalid', `not a usable dataset: ${what}`, {
    hint: 'write images as U8 [N, H, W, C] and labels as U8, I32 or I64 [N] into one safetensors file',
  });
}
