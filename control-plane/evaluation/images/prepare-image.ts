// One dataset image to the pixels a contract asks for. An image of another size or colour goes through sharp:
// fit as the contract says, Lanczos3 kernel, black padding. Dataset pixels of the right form are used as they are.

import sharp from 'sharp';
import { channelsOf, type ImagePreprocess } from '#protocol/model-contract.ts';
import type { LabelledImages } from '../labelled-images.ts';

const FIT = { stretch: 'fill', contain: 'contain', cover: 'cover' } as const;

/** Pixels [height, width, channels] of the contract's size, in gray or RGB order. */
export async function prepareImage(
  images: LabelledImages,
  index: number,
  preprocess: ImagePreprocess,
): Promise<Uint8Array> {
  const { width, height, channels } = images;
  const pixels = images.pixels(index);
  const wanted = channelsOf(preprocess.colour);
  if (width === preprocess.width && height === preprocess.height && channels === wanted) return pixels;
  const image = sharp(pixels, { raw: { width, height, channels: channels === 1 ? 1 : 3 } }).resize({
    width: preprocess.width,
    height: preprocess.height,
    fit: FIT[preprocess.resize],
    position: 'centre',
    kernel: 'lanczos3',
    background: { r: 0, g: 0, b: 0 },
  });
  return image
    .toColourspace(wanted === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer();
}
