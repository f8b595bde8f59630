// What was tried for a profile as rows, and what a compression did to a model as lists: one view model behind the
// command line and the console.

import type { ProfileChoice } from '#protocol/api.ts';
import type { Candidate, CompressionReport, VariantComparison } from '#protocol/compression.ts';
import { recipeInWords } from './recipe-words.ts';
import { percentInWords, sizeInWords, type Tone } from './words.ts';

export interface CandidateRow {
  readonly recipe: string;
  readonly verdict: string;
  readonly tone: Tone;
  readonly why: string;
  /** Each null where it is not known. */
  readonly accuracy: string | null;
  readonly p95: string | null;
  /** The machine or device that the latency and the memory are of. */
  readonly measuredOn: string | null;
  /** Latency as a share of the original's, with its quartiles. */
  readonly ratio: string | null;
  readonly size: string | null;
  readonly memory: string | null;
  readonly report: ReportView | null;
  readonly comparison: ComparisonView | null;
}

export interface ChoiceView {
  readonly profile: string;
  /** What the profile gets, or that it gets nothing. */
  readonly outcome: string;
  readonly tone: Tone;
  readonly rows: readonly CandidateRow[];
}

export interface ReportView {
  readonly size: string;
  /** Worst output first, `27.3 dB`. */
  readonly outputs: readonly NamedValue[];
  readonly worstLayers: readonly NamedValue[];
  /** Operators whose number changed or that stay in float, by name. */
  readonly operators: readonly OperatorRow[];
  readonly leftInFloat: string | null;
  readonly notes: readonly string[];
}

export interface OperatorRow {
  readonly operator: string;
  readonly before: number;
  readonly after: number;
}

export interface NamedValue {
  readonly name: string;
  readonly value: string;
}

export interface ComparisonView {
  readonly accuracyChange: string | null;
  /** Classes that lost or won, most lost first. */
  readonly classes: readonly NamedValue[];
  readonly examples: readonly string[];
}

const TONES: Readonly<Record<Candidate['verdict'], Tone>> = {
  proposed: 'good',
  front: 'busy',
  dominated: 'idle',
  'over-budget': 'attention',
  failed: 'bad',
};

export function choiceView({ profile, candidates }: ProfileChoice, labels: readonly string[]): ChoiceView {
  const proposed = candidates.find(({ verdict }) => verdict === 'proposed');
  return {
    profile,
    outcome:
      proposed === undefined
        ? 'nothing is proposed: no candidate is within the budgets of the profile'
        : recipeInWords(proposed.recipe),
    tone: proposed === undefined ? 'attention' : 'good',
    rows: candidates.map((candidate) => candidateRow(candidate, labels)),
  };
}

function candidateRow(candidate: Candidate, labels: readonly string[]): CandidateRow {
  const { recipe, verdict, why, accuracy, device, weights, comparison, report } = candidate;
  const p95Ms = device?.p95Ms ?? candidate.p95Ms;
  const memoryBytes = device?.memoryBytes ?? candidate.memoryBytes;
  return {
    recipe: recipeInWords(recipe),
    verdict,
    tone: TONES[verdict],
    // What a process said when it failed may have many lines.
    why: why.split('\n', 1).join(''),
    accuracy: accuracy === null ? null : percentInWords(accuracy, 2),
    p95: p95Ms === null ? null : `${p95Ms.toFixed(2)} ms`,
    measuredOn: p95Ms === null ? null : (device?.deviceId ?? 'this machine'),
    ratio: comparison === null ? null : ratioInWords(comparison.latencyRatio),
    size: weights === null ? null : sizeInWords(weights.sizeBytes),
    memory: memoryBytes === null ? null : sizeInWords(memoryBytes),
    report: report === null ? null : reportView(report),
    comparison: comparison === null ? null : comparisonView(comparison, labels),
  };
}

/** `0.71 (0.66–0.78)`; below 1 is faster. */
function ratioInWords({ median, low, high }: VariantComparison['latencyRatio']): string {
  return `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function reportView(report: CompressionReport): ReportView {
  const { sizeBytesBefore, sizeBytesAfter, opsBefore, opsAfter, leftInFloat } = report;
  const operators = [...new Set([...Object.keys(opsBefore), ...Object.keys(opsAfter)])].sort();
  return {
    size: `${sizeInWords(sizeBytesBefore)} before, ${sizeInWords(sizeBytesAfter)} after`,
    outputs: report.outputs
      .toSorted((a, b) => (a.sqnrDb ?? Infinity) - (b.sqnrDb ?? Infinity))
      .map(({ name, sqnrDb }) => ({ name, value: sqnrDb === null ? 'no noise' : decibels(sqnrDb) })),
    worstLayers: report.worstLayers.map(({ name, opType, sqnrDb }) => ({
      name: `${opType} ${name}`,
      value: decibels(sqnrDb),
    })),
    operators: operators.map((operator) => ({
      operator,
      before: opsBefore[operator] ?? 0,
      after: opsAfter[operator] ?? 0,
    })),
    leftInFloat: leftInFloat.length === 0 ? null : leftInFloat.join(', '),
    notes: report.notes,
  };
}

function comparisonView(comparison: VariantComparison, labels: readonly string[]): ComparisonView {
  const { accuracyChange, perClassChange, disagreements } = comparison;
  const nameOf = (place: number): string => (place < 0 ? 'nothing' : (labels[place] ?? String(place)));
  return {
    accuracyChange: accuracyChange === null ? null : points(accuracyChange),
    classes: perClassChange
      .filter(({ change }) => change !== 0)
      .sort((a, b) => a.change - b.change)
      .map(({ label, change }) => ({ name: label, value: points(change) })),
    examples: disagreements.map(({ sample, truth, original, variant }) => {
      const told = `sample ${sample}: ${nameOf(original)} became ${nameOf(variant)}`;
      return truth === null ? told : `${told}, truly ${nameOf(truth)}`;
    }),
  };
}

/** `−0.30 points`, with a sign. */
function points(change: number): string {
  const sign = change < 0 ? '−' : '+';
  return `${sign}${percentInWords(Math.abs(change), 2).replace('%', 'points')}`;
}

function decibels(value: number): string {
  return `${value.toFixed(1)} dB`;
}
