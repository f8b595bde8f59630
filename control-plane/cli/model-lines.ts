// A model version and its variants as lines for people.

import type { Evaluation, ModelVersion } from '#protocol/api.ts';
import { percentInWords, sizeInWords } from '../view/words.ts';
import { tableLines, type Cell } from './output.ts';

export function modelVersionLines(version: ModelVersion): string[] {
  const rows: Cell[][] = [
    [
      '(original)',
      'float',
      null,
      sizeInWords(version.contract.weights.sizeBytes),
      ...measured(version.evaluation),
    ],
    ...version.variants.map((variant) => [
      variant.profile,
      variant.precision,
      variant.releaseCounter === null ? 'no' : `#${variant.releaseCounter}`,
      sizeInWords(variant.weights.sizeBytes),
      ...measured(variant.evaluation),
    ]),
  ];
  return [
    `${version.model} ${version.version}  contract ${version.contractSha256.slice(0, 12)}`,
    '',
    ...tableLines(['profile', 'precision', 'signed', 'size', 'accuracy', 'p50', 'p95'], rows),
  ];
}

function measured(evaluation: Evaluation | null): Cell[] {
  if (evaluation === null) return [null, null, null];
  const { accuracy, latencyP50Ms, latencyP95Ms } = evaluation;
  return [
    accuracy === null ? null : percentInWords(accuracy, 2),
    `${latencyP50Ms.toFixed(2)} ms`,
    `${latencyP95Ms.toFixed(2)} ms`,
  ];
}
