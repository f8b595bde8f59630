// What of the trials a profile gets: candidates with their verdicts. Budgets are held against a device's latencies and
// memory where every candidate was timed on one, else against this machine's where it stands in for the profile, else
// they decide nothing. Where both can speak, a gain counts that one shows and the other does not contradict.

import type { Candidate, DeviceTiming } from '#protocol/compression.ts';
import type { DeviceProfile } from '#protocol/profile.ts';
import {
  judgeCandidates, type Judgement, type MeasuredCandidate, type RelativeLatency,
} from '../evaluation/choose.ts'; // prettier-ignore
import { dominators } from '../evaluation/pareto.ts';
import { recipeInWords } from '../view/recipe-words.ts';
import { percentInWords, sizeInWords } from '../view/words.ts';
import type { MadeTrial } from './trial-store.ts';
import type { FailedTrial, Trial } from './trials.ts';

/** A trial, and what a device of the profile measured of it. */
export interface TimedTrial {
  readonly trial: Trial;
  readonly device: DeviceTiming | null;
}

interface Made {
  readonly trial: MadeTrial;
  readonly device: DeviceTiming | null;
}

/** Candidates in the profile's order; at most one is proposed. */
export function decide(
  profile: DeviceProfile,
  timed: readonly TimedTrial[],
  machineStandsIn: boolean,
): Candidate[] {
  const made = timed.filter(isMade);
  const budgets = { ...profile.budgets, maxAccuracyLoss: profile.compression.maxAccuracyLoss };
  const judgements = judgeCandidates(measured(made, machineStandsIn), budgets);
  return timed.map((one) => {
    if (!isMade(one)) return failed(one.trial as FailedTrial);
    const { evaluation: _evaluation, ...shown } = one.trial;
    const { verdict, why } = judgements[made.indexOf(one)] as Judgement;
    return { ...shown, verdict, why, device: one.device };
  });
}

function isMade(timed: TimedTrial): timed is Made {
  return !('failure' in timed.trial);
}

/** The front, for whoever must choose a budget or another model where no candidate is within the profile's. */
export function frontInWords(candidates: readonly Candidate[]): string {
  const made = candidates.filter((candidate) => candidate.weights !== null);
  if (made.length === 0)
    return candidates.map(({ recipe, why }) => `${recipeInWords(recipe)}: ${why}`).join('; ');
  const points = made.map(({ accuracy, p95Ms, device, weights, memoryBytes }) => ({
    accuracy,
    p95Ms: device?.p95Ms ?? p95Ms,
    sizeBytes: weights?.sizeBytes ?? 0,
    memoryBytes: device?.memoryBytes ?? memoryBytes,
  }));
  const by = dominators(points);
  return points
    .flatMap((point, index) => {
      if (by[index] !== null) return [];
      const { recipe, why } = made[index] as Candidate;
      const numbers = [
        ...(point.accuracy === null ? [] : [`${percentInWords(point.accuracy, 2)} right`]),
        ...(point.p95Ms === null ? [] : [`p95 ${point.p95Ms.toFixed(2)} ms`]),
        sizeInWords(point.sizeBytes),
        ...(point.memoryBytes === null ? [] : [`${sizeInWords(point.memoryBytes)} of memory`]),
      ];
      return [`${recipeInWords(recipe)} (${numbers.join(', ')}): ${why}`];
    })
    .join('; ');
}

function measured(made: readonly Made[], machineStandsIn: boolean): MeasuredCandidate[] {
  const isOnDevices = made.every(({ device }) => device !== null);
  const isPaired = machineStandsIn && made.every(({ trial }) => trial.p95Ms !== null);
  return made.map(({ trial, device: anyDevice }) => {
    const { recipe, weights, accuracy, comparison } = trial;
    const device = isOnDevices ? anyDevice : null;
    const here = machineStandsIn ? trial : null;
    const change = recipe.kind === 'original' ? 0 : (comparison?.accuracyChange ?? null);
    return {
      name: recipeInWords(recipe),
      accuracy,
      loss: accuracy === null || change === null ? null : -change,
      sizeBytes: weights.sizeBytes,
      p95Ms: device?.p95Ms ?? here?.p95Ms ?? null,
      memoryBytes: device?.memoryBytes ?? here?.memoryBytes ?? null,
      latencies: [
        ...(device === null ? [] : [latencyOn(device)]),
        ...(isPaired ? [comparison?.latencyRatio ?? ITSELF] : []),
      ],
    };
  });
}

/** The original's latency as a share of itself. */
const ITSELF: RelativeLatency = { median: 1, low: 1, high: 1 };

/** Candidates take turns on a device, one after the other: only what shows above its slow runs is no noise. */
function latencyOn({ p50Ms, p95Ms }: DeviceTiming): RelativeLatency {
  const median = Math.max(p50Ms, 0.001);
  return { median, low: median, high: Math.max(p95Ms, median) };
}

function failed({ recipe, precision, failure }: FailedTrial): Candidate {
  return {
    recipe, precision, verdict: 'failed', why: failure, weights: null, accuracy: null, p95Ms: null,
    memoryBytes: null, report: null, comparison: null, device: null,
  }; // prettier-ignore
}
