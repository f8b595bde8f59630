// Dataset images as model inputs, one or a batch at a time, pre-processed as the contract says.

import { HoldfastError } from '#protocol/errors.ts';
import type { ImagePreprocess, ModelContract } from '#protocol/model-contract.ts';
import { imageTensorShape, normalisePixels } from '#protocol/preprocess.ts';
import { floatFeed, type TensorFeed } from '../../compression/tensor-feed.ts';
import type { LabelledImages } from '../labelled-images.ts';
import { prepareImage } from './prepare-image.ts';

/** The part of a contract that says how an image becomes an input. */
export type ImageInput = Pick<ModelContract, 'inputs' | 'preprocess'>;

/**
 * Yields a feed for each `batch` of the images at `indices`, in order; the last may be smaller. Throws
 * `contract-mismatch` for a contract that takes no images, or not as float32.
 */
export async function* imageFeeds(
  images: LabelledImages,
  contract: ImageInput,
  indices: readonly number[],
  batch = 1,
): AsyncGenerator<TensorFeed, void, undefined> {
  const { name, preprocess } = imageInput(contract);
  for (let first = 0; first < indices.length; first += batch) {
    const members = indices.slice(first, first + batch);
    const shape = imageTensorShape(preprocess, members.length);
    const size = shape.slice(1).reduce((product, dim) => product * dim, 1);
    const values = new Float32Array(members.length * size);
    for (const [place, index] of members.entries()) {
      normalisePixels(await prepareImage(images, index, preprocess), preprocess, values, place * size);
    }
    yield { [name]: floatFeed(shape, values) };
  }
}

/** One input without a picture on it, to run a model that no data is at hand for. Throws `contract-mismatch`. */
export function blankImageFeed(contract: ImageInput): TensorFeed {
  const { name, preprocess } = imageInput(contract);
  const shape = imageTensorShape(preprocess, 1);
  return { [name]: floatFeed(shape, new Float32Array(shape.reduce((product, dim) => product * dim, 1))) };
}

function imageInput(contract: ImageInput): { name: string; preprocess: ImagePreprocess } {
  const [input] = contract.inputs;
  if (contract.preprocess.kind !== 'image' || input === undefined || input.dtype !== 'FP32') {
    throw new HoldfastError('contract-mismatch', 'the contract does not turn images into one FP32 input', {
      hint: 'evaluate and calibrate with images only where preprocess.kind is "image" and the input is FP32',
    });
  }
  return { name: input.name, preprocess: contract.preprocess };
}
