// What a quantized model loses against the float one, as a share of the task's metric, from outputs on the same
// samples. Pure. With labels: accuracy. Without: how often the top class differs where an output holds class
// scores; else the noise's share of the output's energy (0.01 is 20 dB SQNR).

import { topClass } from '../../evaluation/top-class.ts';
import { NoiseEnergy } from './noise-energy.ts';

export type TaskMetric = 'accuracy' | 'agreement' | 'noise';

/** A float32 output of one sample. */
export interface OutputValues {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** One sample's outputs, in the model's order. */
export type SampleOutputs = readonly OutputValues[];

export interface Loss {
  /** Share of the metric that is lost, 0 to 1; below 0 where the quantized model is better. */
  readonly lost: number;
  /** Noise energy as a share of the signal's, of the worst output; infinite for NaN. */
  readonly noise: number;
}

/** Scores add up to this near to 1 in an output of probabilities. */
const SUM_TOLERANCE = 1e-3;

/** The metric that the float model's outputs allow, and the output it is taken from. */
export function metricOf(
  reference: readonly SampleOutputs[],
  labels: readonly number[] | null,
): { metric: TaskMetric; output: number } {
  const [first = []] = reference;
  const output = first.findIndex((values, index) => {
    if (lastDim(values) < 2) return false;
    return values.dims.length === 2 || reference.every((sample) => holdsProbabilities(sample[index]));
  });
  const isOneAnswer = reference.every((sample) => rowCount(sample[output]) === 1);
  if (output === -1) return { metric: 'noise', output: 0 };
  return { metric: labels !== null && isOneAnswer ? 'accuracy' : 'agreement', output };
}

/** The loss of `actual` against `reference`, sample by sample; `labels` in the same order. */
export function lossOf(
  reference: readonly SampleOutputs[],
  actual: readonly SampleOutputs[],
  { metric, output }: { readonly metric: TaskMetric; readonly output: number },
  labels: readonly number[] | null,
): Loss {
  const noise = noiseOf(reference, actual);
  if (metric === 'noise') return { lost: Math.min(1, noise), noise };
  const before = reference.map((sample) => topClasses(sample[output]));
  const after = actual.map((sample) => topClasses(sample[output]));
  if (metric === 'accuracy') {
    const right = (answers: readonly number[][]) =>
      answers.filter(([answer], index) => answer === labels?.[index]).length;
    return { lost: (right(before) - right(after)) / reference.length, noise };
  }
  let rows = 0;
  let different = 0;
  before.forEach((answers, sample) => {
    rows += answers.length;
    different += answers.filter((answer, row) => answer !== after[sample]?.[row]).length;
  });
  return { lost: rows === 0 ? 0 : different / rows, noise };
}

function noiseOf(reference: readonly SampleOutputs[], actual: readonly SampleOutputs[]): number {
  const energies = (reference[0] ?? []).map(() => new NoiseEnergy());
  reference.forEach((sample, index) => {
    sample.forEach(({ data }, output) => energies[output]?.add(data, actual[index]?.[output]?.data));
  });
  return energies.reduce((worst, { share }) => Math.max(worst, share), 0);
}

function topClasses(values: OutputValues | undefined): number[] {
  if (values === undefined) return [];
  const classes = lastDim(values);
  return Array.from({ length: rowCount(values) }, (_, row) =>
    topClass(values.data.subarray(row * classes, (row + 1) * classes)),
  );
}

function holdsProbabilities(values: OutputValues | undefined): boolean {
  if (values === undefined || values.data.some((value) => value < 0)) return false;
  const classes = lastDim(values);
  for (let start = 0; start < values.data.length; start += classes) {
    const sum = values.data.subarray(start, start + classes).reduce((total, value) => total + value, 0);
    if (Math.abs(sum - 1) > SUM_TOLERANCE) return false;
  }
  return true;
}

function lastDim({ dims }: OutputValues): number {
  return dims.at(-1) ?? 1;
}

function rowCount(values: OutputValues | undefined): number {
  return values === undefined || lastDim(values) === 0 ? 0 : values.data.length / lastDim(values);
}
