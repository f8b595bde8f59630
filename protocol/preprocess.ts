// The one rule from pixels to a tensor, shared by the agent's worker and the control plane's evaluation,
// so that both see the same numbers. Pure arithmetic; decoding and resizing happen before it.

import { channelsOf, type ImagePreprocess } from './model-contract.ts';

/**
 * Normalises one image. `pixels` is [height, width, channels] uint8 in `gray` or RGB order, already of the
 * contract's size. Returns [1, C, H, W] (nchw) or [1, H, W, C] (nhwc) float32: `(pixel * scale - mean) / std`,
 * with the channels reversed for `bgr`. Writes into `target` at `offset` (in elements) when given.
 */
export function normalisePixels(
  pixels: Uint8Array,
  preprocess: ImagePreprocess,
  target: Float32Array = new Float32Array(pixels.length),
  offset = 0,
): Float32Array {
  const channels = channelsOf(preprocess.colour);
  const plane = preprocess.width * preprocess.height;
  if (pixels.length !== plane * channels) {
    throw new RangeError(`expected ${plane * channels} pixel bytes, got ${pixels.length}`);
  }
  const reversed = preprocess.colour === 'bgr';
  for (let channel = 0; channel < channels; channel++) {
    const source = reversed ? channels - 1 - channel : channel;
    const mean = preprocess.mean[channel] ?? 0;
    const std = preprocess.std[channel] ?? 1;
    const step = preprocess.layout === 'nchw' ? 1 : channels;
    let at = offset + (preprocess.layout === 'nchw' ? channel * plane : channel);
    for (let index = source; index < pixels.length; index += channels) {
      target[at] = ((pixels[index] as number) * preprocess.scale - mean) / std;
      at += step;
    }
  }
  return target;
}

/** Shape of a batch of `count` images after `normalisePixels`. */
export function imageTensorShape(preprocess: ImagePreprocess, count: number): number[] {
  const channels = channelsOf(preprocess.colour);
  return preprocess.layout === 'nchw'
    ? [count, channels, preprocess.height, preprocess.width]
    : [count, preprocess.height, preprocess.width, channels];
}
