// The numbers of a shadow as evidence: one piece a gate, each with a sentence for people. Pure.

import type { Evidence, Gate, Verdict } from '#protocol/evidence.ts';
import { LN10 } from './e-process.ts';
import type { PairMedians } from './shadow-judge-medians.ts';

/** k ones among n observations. */
export interface Tally {
  readonly n: number;
  readonly k: number;
}

export interface ShadowCounts {
  readonly pairs: number;
  /** Pairs that spanned a throttle change. */
  readonly dropped: number;
  readonly notFinite: number;
  readonly latency: Tally;
  readonly errors: Tally;
  readonly disagreement: Tally;
}

export interface ShadowNumbers {
  readonly atMs: number;
  readonly lnE: Readonly<Record<'latency' | 'errors' | 'disagreement', number>>;
  readonly lnThreshold: number;
  /** ln of the mirrored e-value: evidence that B is not slower. */
  readonly lnEFaster: number;
  readonly passed: boolean;
  readonly medians: PairMedians | null;
  readonly latencyMargin: number;
  readonly maxDisagreementRate: number;
}

/** Pieces for latency, errors and disagreement, and one for NaN when there was any. */
export function describeShadow(counts: ShadowCounts, numbers: ShadowNumbers): Evidence[] {
  const { atMs, latencyMargin, maxDisagreementRate, medians } = numbers;
  const sequential = (gate: 'latency' | 'errors' | 'disagreement', sentence: string): Evidence => ({
    gate,
    verdict: verdictOf(numbers, gate),
    method: 'e-process',
    summary: `${sentence}; evidence against 10^${(numbers.lnE[gate] / LN10).toFixed(1)}, bound 10^${(numbers.lnThreshold / LN10).toFixed(1)}`,
    ...counts[gate],
    log10E: numbers.lnE[gate] / LN10,
    log10Threshold: numbers.lnThreshold / LN10,
    atMs,
  });
  const { latency, errors, disagreement } = counts;
  const timing =
    medians === null
      ? 'no pair has two latencies'
      : `median ${ms(medians.baselineP50Ms)} to ${ms(medians.candidateP50Ms)} ms (x${medians.ratio.toFixed(2)}), over ${percent(latencyMargin)} slower in ${latency.k} of ${latency.n} pairs, evidence for 10^${(numbers.lnEFaster / LN10).toFixed(1)}`;
  const pieces = [
    { ...sequential('latency', timing), ...medians },
    sequential(
      'errors',
      `the candidate alone failed in ${errors.k} of the ${errors.n} pairs in which one slot failed`,
    ),
    sequential(
      'disagreement',
      `top-1 differs in ${disagreement.k} of ${disagreement.n} pairs, declared at most ${percent(maxDisagreementRate)}`,
    ),
  ];
  return counts.notFinite === 0 ? pieces : [notFinite(counts, atMs), ...pieces];
}

function notFinite({ pairs, notFinite: k }: ShadowCounts, atMs: number): Evidence {
  return hard('finite', `NaN or infinity in the candidate's output in ${k} of ${pairs} pairs`, {
    n: pairs,
    k,
    atMs,
  });
}

function hard(gate: Gate, summary: string, numbers: { n: number; k: number; atMs: number }): Evidence {
  return { gate, verdict: 'fail', method: 'hard', summary, ...numbers };
}

function verdictOf(
  { lnE, lnThreshold, passed }: ShadowNumbers,
  gate: 'latency' | 'errors' | 'disagreement',
): Verdict {
  if (lnE[gate] >= lnThreshold) return 'fail';
  return passed ? 'pass' : 'inconclusive';
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

function ms(value: number): string {
  return value.toPrecision(3);
}
