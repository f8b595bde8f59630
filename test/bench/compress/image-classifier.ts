// The digit reader and the clothes reader on their real images: calibrated on training images, judged by the
// test images.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { topClass } from '#control-plane/evaluation/top-class.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { modelContractSchema } from '#protocol/model-contract.ts';
import { imageTensorShape, normalisePixels } from '#protocol/preprocess.ts';
import { testImages, trainImages, type DigitImages } from '#test/demo/digits-data.ts';
import { FASHION_PACKAGE, fashionFolder, fashionImages } from './fashion-images.ts';
import { MissingPart, type JudgedSample, type Subject } from './subject.ts';

const CLASSES = 10;
/** Images that are judged in one run. */
const BATCH = 250;
const DIGITS_JUDGED = 1_000;

export async function digitsSubject(samples: number): Promise<Subject> {
  return await classifier('digits', samples, await trainImages(), await testImages(), DIGITS_JUDGED);
}

export async function fashionSubject(samples: number): Promise<Subject> {
  const folder = fashionFolder();
  if (folder === undefined) throw new MissingPart(`the Fashion-MNIST images are missing: ${FASHION_PACKAGE}`);
  const test = await fashionImages(folder, 't10k');
  return await classifier('fashion', samples, await fashionImages(folder, 'train'), test, test.count);
}

async function classifier(
  model: string,
  samples: number,
  train: DigitImages,
  test: DigitImages,
  judgedCount: number,
): Promise<Subject> {
  const folder = new URL(`../../fixtures/models/${model}/v1/`, import.meta.url);
  const contract = modelContractSchema.parse(
    JSON.parse(await readFile(new URL('contract.json', folder), 'utf8')),
  );
  const { preprocess } = contract;
  if (preprocess.kind !== 'image') throw new RangeError(`${model} takes no images`);
  const feedOf = ({ images, rows, columns }: DigitImages, at: number, count: number): TensorFeed => {
    const sizeBytes = rows * columns;
    const values = new Float32Array(count * sizeBytes);
    for (let index = 0; index < count; index++) {
      const pixels = images.subarray((at + index) * sizeBytes, (at + index + 1) * sizeBytes);
      normalisePixels(pixels, preprocess, values, index * sizeBytes);
    }
    return { image: floatFeed(imageTensorShape(preprocess, count), values) };
  };
  const judged: JudgedSample[] = [];
  for (let at = 0; at < judgedCount; at += BATCH) {
    const truths = test.labels.subarray(at, at + BATCH);
    judged.push({
      feed: feedOf(test, at, BATCH),
      judge({ logits }) {
        const scores = logits?.data as Float32Array;
        const won = truths.reduce(
          (sum, truth, row) =>
            sum + Number(topClass(scores.subarray(CLASSES * row, CLASSES * (row + 1))) === truth),
          0,
        );
        return { won, of: truths.length };
      },
    });
  }
  return {
    weightsPath: fileURLToPath(new URL('weights.onnx', folder)),
    calibration: Array.from({ length: samples }, (_, index) => feedOf(train, index, 1)),
    labels: [...train.labels.subarray(0, samples)],
    judged,
    metric: `accuracy on ${judgedCount} test images`,
    latencyPairs: 200,
  };
}
