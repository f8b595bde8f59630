// A model's raw scores for every image of a dataset.

import { HoldfastError } from '#protocol/errors.ts';
import { runModel, type OpenSession } from '../../compression/ort-session.ts';
import { imageFeeds } from '../images/image-feeds.ts';
import type { LabelledImages } from '../labelled-images.ts';
import type { EvaluatedContract, EvaluationSettings } from './evaluation-settings.ts';

/** One row of the contract's output an image. Throws `contract-mismatch` or `dataset-invalid`. */
export async function answerAll(
  { session }: OpenSession,
  images: LabelledImages,
  contract: EvaluatedContract,
  settings: EvaluationSettings,
  progress: (done: number, total: number) => void,
): Promise<Float32Array[]> {
  const name = scoresOutput(session, contract);
  const batch = takesBatches(session) ? settings.batch : 1;
  const rows: Float32Array[] = [];
  const indices = Array.from({ length: images.count }, (_, index) => index);
  for await (const feed of imageFeeds(images, contract, indices, batch)) {
    const members = Math.min(batch, images.count - rows.length);
    const outputs = await runModel(session, feed, [name]);
    const scores = outputs[name]?.data as Float32Array;
    const width = scores.length / members;
    for (let row = 0; row < members; row++) rows.push(scores.slice(row * width, (row + 1) * width));
    progress(rows.length, images.count);
  }
  if (contract.postprocess.kind === 'classify') refuseStrangeLabels(images, rows[0]?.length ?? 0);
  return rows;
}

type Session = OpenSession['session'];

function scoresOutput(session: Session, { postprocess, outputs }: EvaluatedContract): string {
  const name = postprocess.kind === 'classify' ? postprocess.output : (outputs[0]?.name ?? '');
  const value = session.outputMetadata.find((output) => output.name === name);
  if (value?.isTensor === true && value.type === 'float32') return name;
  throw new HoldfastError('contract-mismatch', `the model has no float32 output "${name}"`, {
    hint: `its outputs are ${session.outputNames.join(', ')}`,
  });
}

/** Whether the first dimension of the input is free; a fixed one is the batch size of every run. */
function takesBatches(session: Session): boolean {
  const [input] = session.inputMetadata;
  return input?.isTensor === true && typeof input.shape[0] !== 'number';
}

function refuseStrangeLabels(images: LabelledImages, classes: number): void {
  const strange = images.labels.find((label) => label >= classes);
  if (strange === undefined) return;
  throw new HoldfastError(
    'dataset-invalid',
    `the dataset has the label ${strange}, the model ${classes} classes`,
    {
      hint: 'use the dataset that belongs to this model; labels count from 0',
    },
  );
}
