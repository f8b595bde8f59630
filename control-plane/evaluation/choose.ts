// Which of a profile's candidates is proposed, and what is said of each of the others. Invariants: what is proposed
// is within every budget whose value is known; no other one within them is faster beyond noise; order is preference,
// so that latencies within noise decide nothing and every version of a model gets the same recipe.

import type { Candidate } from '#protocol/compression.ts';
import { percentInWords, sizeInWords } from '../view/words.ts';
import { dominators, type ParetoPoint } from './pareto.ts';

/** A gain in latency below this may be noise of the machine. */
export const NOISE_GAIN = 1.1;
/** Accuracies are shares of samples: what is below one part in a thousand million is rounding. */
const ROUNDING = 1e-9;

export interface MeasuredCandidate extends ParetoPoint {
  /** In words, for what is said of the others. */
  readonly name: string;
  /** What it loses of the original's accuracy, share of samples; null where it is not known. */
  readonly loss: number | null;
  /** One for each machine that all candidates were timed on, in the same order; the first is told to people. */
  readonly latencies: readonly RelativeLatency[];
}

/** A latency on a scale that all candidates share, good for ratios only. */
export interface RelativeLatency {
  readonly median: number;
  /** Lower quartile, or the median where it is not known. */
  readonly low: number;
  /** Upper quartile, or another high percentile. */
  readonly high: number;
}

export interface CandidateBudgets {
  readonly p95LatencyMs: number;
  readonly weightsBytes: number;
  readonly memoryBytes: number;
  readonly maxAccuracyLoss: number;
}

export interface Judgement {
  readonly verdict: Exclude<Candidate['verdict'], 'failed'>;
  readonly why: string;
}

/** Judges candidates in their order of preference; at most one is `proposed`, none where all are over a budget. */
export function judgeCandidates(
  candidates: readonly MeasuredCandidate[],
  budgets: CandidateBudgets,
): Judgement[] {
  const excesses = candidates.map((candidate) => excessesOf(candidate, budgets));
  const eligible = candidates.filter((_, index) => excesses[index]?.length === 0);
  const proposed = chosenOf(eligible);
  const dominatedBy = dominators(candidates);
  return candidates.map((candidate, index) => {
    const excess = excesses[index] ?? [];
    if (excess.length > 0) return { verdict: 'over-budget', why: excess.join('; ') };
    if (proposed === null || candidate === proposed) {
      return { verdict: 'proposed', why: whyProposed(candidate, eligible) };
    }
    const winner = candidates[dominatedBy[index] ?? -1];
    if (winner === undefined) return { verdict: 'front', why: comparedWith(proposed, candidate) };
    const scope = candidate.p95Ms === null ? 'nothing that counts here' : 'nothing';
    return { verdict: 'dominated', why: `in ${scope} better than ${winner.name}` };
  });
}

/** How many times as fast `left` is as `right`; 1 where nobody knows. */
function gain({ latencies: [left] }: MeasuredCandidate, { latencies: [right] }: MeasuredCandidate): number {
  return left === undefined || right === undefined ? 1 : right.median / left.median;
}

/** Shown beyond noise by one machine, and contradicted by none. */
function isBeyondNoise(faster: MeasuredCandidate, slower: MeasuredCandidate): boolean {
  const pairs = faster.latencies.flatMap((left, machine) => {
    const right = slower.latencies[machine];
    return right === undefined ? [] : [{ left, right, gain: right.median / left.median }];
  });
  return (
    pairs.every(({ gain }) => gain >= 1) &&
    pairs.some(
      ({ left, right, gain }) => gain >= NOISE_GAIN && left.median <= right.low && left.high <= right.median,
    )
  );
}

/** Holds the first one, and takes a later one in its place only where that is faster beyond noise. */
function chosenOf(eligible: readonly MeasuredCandidate[]): MeasuredCandidate | null {
  return eligible.reduce<MeasuredCandidate | null>(
    (held, next) => (held === null || isBeyondNoise(next, held) ? next : held),
    null,
  );
}

function excessesOf(candidate: MeasuredCandidate, budgets: CandidateBudgets): string[] {
  const { p95Ms, sizeBytes, memoryBytes, loss } = candidate;
  const excesses: string[] = [];
  if (loss !== null && loss > budgets.maxAccuracyLoss + ROUNDING) {
    excesses.push(
      `loses ${pointsInWords(loss)} of accuracy, ${pointsInWords(budgets.maxAccuracyLoss)} are allowed`,
    );
  }
  if (p95Ms !== null && p95Ms > budgets.p95LatencyMs) {
    excesses.push(`p95 of ${p95Ms.toFixed(2)} ms, ${budgets.p95LatencyMs} ms are allowed`);
  }
  if (sizeBytes > budgets.weightsBytes) {
    excesses.push(`${sizeInWords(sizeBytes)} of weights, ${sizeInWords(budgets.weightsBytes)} are allowed`);
  }
  if (memoryBytes !== null && memoryBytes > budgets.memoryBytes) {
    excesses.push(`${sizeInWords(memoryBytes)} of memory, ${sizeInWords(budgets.memoryBytes)} are allowed`);
  }
  return excesses;
}

function whyProposed(chosen: MeasuredCandidate, eligible: readonly MeasuredCandidate[]): string {
  const others = eligible.filter((candidate) => candidate !== chosen);
  const [first] = others;
  if (first === undefined) return 'no other is within the budgets';
  if (eligible.some((candidate) => candidate.latencies.length === 0)) {
    return "first in the profile's order within the budgets; no timing that would count for this profile";
  }
  const rival = others.reduce((best, next) => (gain(next, best) > 1 ? next : best), first);
  const lead = gain(chosen, rival);
  return lead >= 1
    ? `the fastest within the budgets, ${timesInWords(lead)} as fast as ${rival.name}`
    : `preferred to ${rival.name}, which is only ${timesInWords(1 / lead)} as fast`;
}

function comparedWith(proposed: MeasuredCandidate, candidate: MeasuredCandidate): string {
  if (candidate.latencies.length === 0) {
    return `${proposed.name} comes before it in the profile's order`;
  }
  const lead = gain(proposed, candidate);
  return lead >= 1
    ? `${proposed.name} is ${timesInWords(lead)} as fast`
    : `only ${timesInWords(1 / lead)} as fast as ${proposed.name}, which is preferred`;
}

function timesInWords(times: number): string {
  return `${times.toFixed(2)} times`;
}

function pointsInWords(share: number): string {
  return percentInWords(share, 2).replace('%', 'points');
}
