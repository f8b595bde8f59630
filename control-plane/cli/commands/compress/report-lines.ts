// A compression report as lines for people.

import type { CompressionReport, VariantComparison } from '#protocol/compression.ts';
import { tableLines } from '../../output.ts';

const decibels = (value: number | null): string => (value === null ? 'no noise' : `${value.toFixed(1)} dB`);

export function reportLines(report: CompressionReport, comparison: VariantComparison | null): string[] {
  const { sizeBytesBefore, sizeBytesAfter, opsBefore, opsAfter } = report;
  const operators = [...new Set([...Object.keys(opsBefore), ...Object.keys(opsAfter)])].toSorted();
  return [
    `${sizeBytesBefore} -> ${sizeBytesAfter} bytes, ${(sizeBytesBefore / sizeBytesAfter).toFixed(2)} times smaller`,
    ...report.outputs.map(({ name, sqnrDb }) => `output ${name}: ${decibels(sqnrDb)} signal to noise`),
    ...(comparison === null ? [] : comparisonLines(comparison)),
    ...report.notes,
    '',
    ...tableLines(
      ['operator', 'before', 'after', 'lowered', 'float'],
      operators.map((operator) => [
        operator,
        opsBefore[operator] ?? 0,
        opsAfter[operator] ?? 0,
        report.lowered[operator] ?? 0,
        report.float[operator] ?? 0,
      ]),
    ),
    ...(report.worstLayers.length === 0 ? [] : ['', ...worstLines(report)]),
  ];
}

function worstLines({ worstLayers }: CompressionReport): string[] {
  return tableLines(
    ['noisiest tensors', 'made by', 'signal to noise'],
    worstLayers.map(({ name, opType, sqnrDb }) => [name, opType, decibels(sqnrDb)]),
  );
}

function comparisonLines({ latencyRatio, accuracyChange, disagreements }: VariantComparison): string[] {
  const { median, low, high, pairs } = latencyRatio;
  return [
    `latency x${median.toFixed(2)} of the original's (x${low.toFixed(2)} to x${high.toFixed(2)} in the middle half of ${pairs} pairs)`,
    ...(accuracyChange === null ? [] : [`accuracy ${(100 * accuracyChange).toFixed(2)} points`]),
    ...(disagreements.length === 0
      ? []
      : [`other answers on samples ${disagreements.map(({ sample }) => sample).join(', ')}`]),
  ];
}
