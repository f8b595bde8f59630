// The results of compression as Markdown: docs/compression-results.md.

import type { CompressCase, CompressResults, MeasuredModel, Side } from './compress/compress-case.ts';
import { goalsOf } from './compress/goals.ts';

const MIB = 1024 ** 2;
const HEAD = [
  'configuration', 'bytes', 'smaller', 'score', 'SQNR dB', 'latency', "reference's latency", 'identical', 'seconds',
  "reference's", 'ratio', 'peak MiB', "reference's",
]; // prettier-ignore

export function compressMarkdown(results: CompressResults): string {
  const { machine, reference, rounds, floorBytes, models, skipped } = results;
  const versions = Object.entries(reference ?? {}).map(([name, version]) => `${name} ${version}`);
  return [
    '# Compression: results',
    '',
    'Made by `npm run bench -- compress --python PYTHON --markdown docs/compression-results.md`; do not edit.',
    '',
    `${machine.cpu}, ${machine.cores} cores, ${machine.hasVnni ? 'VNNI' : 'no VNNI'}, Node ${machine.node}. ${versions.length > 0 ? `Reference: ${versions.join(', ')}.` : 'Without the reference: no interpreter was given.'}`,
    `Seconds are from process start to file, the median of ${rounds} rounds in turn. Memory is the high-water mark of the whole process tree; ours holds ${floorBytes === null ? 'an unknown amount' : `${(floorBytes / MIB).toFixed(0)} MiB`} for a model of a few hundred bytes. Latency is a share of the float model's, median and quartiles of interleaved pairs: below 1 is faster. Both quantizers are given the same file, Constant nodes made initializers (the reference takes only those for weights) and operator sets below 11 raised to it.`,
    '',
    '## Goals',
    '',
    ...table(
      ['goal', 'verdict', 'measured'],
      goalsOf(results).map(({ goal, verdict, detail }) => [goal, verdict, detail]),
    ),
    ...models.flatMap(modelLines),
    ...(skipped.length === 0 ? [] : ['', '## Not measured', '', ...skipped.map(({ model, why }) => `- ${model}: ${why}`)]),
    '',
  ].join('\n'); // prettier-ignore
}

function modelLines(model: MeasuredModel): string[] {
  const { sizeBytes, samples, batchBytes, metric, score } = model;
  return [
    '',
    `## ${model.model}`,
    '',
    `${sizeBytes} bytes, ${samples} calibration samples, ${(batchBytes / MIB).toFixed(1)} MiB of activations a sample. Score: ${metric}; the float model's is ${percent(score)}.`,
    '',
    ...table(HEAD, model.cases.map((one) => row(one, sizeBytes))),
    ...failureLines(model.cases),
  ]; // prettier-ignore
}

function failureLines(cases: readonly CompressCase[]): string[] {
  const lines = cases.flatMap(({ configuration, ours, theirs }) => [
    ...(ours.made ? [] : [`- ${configuration}, ours: ${ours.why}`]),
    ...(theirs === null || theirs.made ? [] : [`- ${configuration}, the reference: ${theirs.why}`]),
  ]);
  return lines.length === 0 ? [] : ['', ...lines];
}

function row(
  { configuration, ours, theirs, isIdentical, secondsRatio }: CompressCase,
  floatBytes: number,
): string[] {
  const of = (side: Side | null, text: (made: Extract<Side, { made: true }>) => string): string =>
    side === null ? '' : side.made ? text(side) : 'fails';
  const latency = ({ latency: { median, low, high } }: Extract<Side, { made: true }>): string =>
    `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const peak = ({ peakBytes }: Extract<Side, { made: true }>): string =>
    peakBytes === null ? '' : (peakBytes / MIB).toFixed(0);
  return [
    configuration,
    of(ours, ({ sizeBytes }) => String(sizeBytes)),
    of(ours, ({ sizeBytes }) => (floatBytes / sizeBytes).toFixed(2)),
    of(ours, ({ score }) => percent(score)),
    of(ours, ({ sqnrDb }) => (sqnrDb === null ? 'no noise' : sqnrDb.toFixed(1))),
    of(ours, latency),
    of(theirs, latency),
    isIdentical === null ? '' : isIdentical ? 'yes' : 'no',
    of(ours, ({ seconds }) => seconds.toFixed(2)),
    of(theirs, ({ seconds }) => seconds.toFixed(2)),
    secondsRatio === null ? '' : secondsRatio.toFixed(2),
    of(ours, peak),
    of(theirs, peak),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
