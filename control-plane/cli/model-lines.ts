// A model version and its variants as lines for people.

import type { Evaluation, ModelVersion, ModelVersionDetail } from '#protocol/api.ts';
import { choiceView } from '../view/candidate-view.ts';
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

/** With every candidate that was tried, and why it was taken or not. */
export function versionDetailLines(version: ModelVersionDetail): string[] {
  return [...modelVersionLines(version), ...version.choices.flatMap(choiceLines(version))];
}

function choiceLines({
  contract,
}: ModelVersionDetail): (choice: ModelVersionDetail['choices'][0]) => string[] {
  return (choice) => {
    const { profile, outcome, rows } = choiceView(choice, contract.labels);
    const cells: Cell[][] = rows.map((row) => [
      row.recipe, row.accuracy, row.p95, row.measuredOn, row.ratio, row.size, row.memory, row.verdict, row.why,
    ]); // prettier-ignore
    return [
      '',
      `${profile}: ${outcome}`,
      ...tableLines(
        ['recipe', 'accuracy', 'p95', 'on', 'of original time', 'size', 'memory', 'verdict', 'why'],
        cells,
      ),
    ];
  };
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
