// The control plane evaluates and calibrates on the very pixels that a device makes of the same image.

import { expect, test } from 'vitest';
import { imageToTensor } from '#agent/worker/image-input.ts';
import { imageFeeds } from '#control-plane/evaluation/images/image-feeds.ts';
import { decodeLabelledImages } from '#control-plane/evaluation/labelled-images.ts';
import type { ImagePreprocess } from '#protocol/model-contract.ts';
import { encodeSafetensors } from '#protocol/safetensors.ts';

const sizes = [[28, 28], [17, 40], [60, 9]] as const; // prettier-ignore
const cases = (['stretch', 'contain', 'cover'] as const).flatMap((resize) =>
  (['gray', 'rgb', 'bgr'] as const).flatMap((colour) =>
    [1, 3].flatMap((channels) => sizes.map((size) => ({ resize, colour, channels, size }))),
  ),
);

test.each(cases)(
  '$resize $colour from $channels channels of $size',
  async ({ resize, colour, channels, size }) => {
    const [height, width] = size;
    const pixels = Uint8Array.from(
      { length: height * width * channels },
      (_, at) => (at * 37 + (at >> 3) * 11) % 256,
    );
    const images = decodeLabelledImages(
      encodeSafetensors({
        images: { dtype: 'U8', shape: [1, height, width, channels], data: pixels },
        labels: { dtype: 'U8', shape: [1], data: Uint8Array.of(0) },
      }),
    );
    const ofColours = (value: number) => Array.from({ length: colour === 'gray' ? 1 : 3 }, () => value);
    const preprocess: ImagePreprocess = {
    kind: 'image', width: 28, height: 28, resize, colour, scale: 1 / 255, mean: ofColours(0.4), std: ofColours(0.3),
    layout: 'nchw',
  }; // prettier-ignore
    const inputs = [{ name: 'image', dtype: 'FP32' as const, shape: [-1, -1, 28, 28] }];
    const feed = await imageFeeds(images, { inputs, preprocess }, [0]).next();
    const onDevice = await imageToTensor(
      { dtype: 'UINT8', shape: [height, width, channels], data: pixels },
      preprocess,
    );
    const onControlPlane = feed.done === true ? undefined : feed.value['image'];
    expect(onControlPlane?.shape).toEqual(onDevice.shape);
    expect(Buffer.from(onControlPlane?.data ?? []).equals(Buffer.from(onDevice.data))).toBe(true);
  },
);
