// Leaves in float what is not faster in 8 bits on this machine: each trial is a whole model, raced against the
// best so far. A change stays only where it wins clearly more than half of the pairs (sign test).

import { ratioOf, fasterByChance, type LatencyPair } from '../../evaluation/pair-statistics.ts';
import type { LatencyTrial } from './latency-trials.ts';

/** Runs the best model so far (`original`) against the one with `exclude` in float, a pair at a time. */
export type Race = (exclude: ReadonlySet<string>) => AsyncIterable<LatencyPair>;

export interface LatencySearch {
  readonly trials: readonly LatencyTrial[];
  readonly race: Race;
  /** Called with what the next races are against. */
  readonly accept: (exclude: ReadonlySet<string>) => Promise<void>;
  readonly note: (text: string) => void;
  readonly progress: (done: number, total: number) => void;
  readonly nowMs: () => number;
}

const MAX_TRIALS = 20;
const SEARCH_MS = 120_000;
const RACE_MS = 5_000;
const MIN_PAIRS = 12;
const MAX_PAIRS = 120;
/** Chance below which a win counts: at the end of a race, and at each look before. */
const ALPHA = 0.02;
const EARLY_ALPHA = 0.001;
/** A race whose chance is above this is lost. */
const LOST = 0.95;
/** A change worth less is not worth another kernel in the graph. */
const MIN_GAIN = 0.01;

/** Names of the nodes to leave in float. */
export async function searchLatency(search: LatencySearch): Promise<Set<string>> {
  const { trials, race, accept, note, progress, nowMs } = search;
  const startedAt = nowMs();
  let exclude: ReadonlySet<string> = new Set();
  let done = 0;
  for (const { what, nodes } of trials.slice(0, MAX_TRIALS)) {
    progress(done++, Math.min(trials.length, MAX_TRIALS));
    const next = new Set([...exclude, ...nodes]);
    if (next.size === exclude.size) continue;
    if (nowMs() - startedAt > SEARCH_MS) {
      note(`latency: stopped after ${done - 1} trials, its time was up`);
      break;
    }
    const pairs = await judgeRace(race(next), nowMs);
    if (!isFaster(pairs, ALPHA)) continue;
    exclude = next;
    await accept(next);
    const { median, low, high } = ratioOf(pairs);
    const share = `${median.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}, ${pairs.length} pairs)`;
    note(`latency: ${what} left in float (${nodes.length} nodes): ${share} of the time before`);
  }
  return new Set(exclude);
}

/** Pairs of one race, until it is decided, hopeless or long enough. */
async function judgeRace(race: AsyncIterable<LatencyPair>, nowMs: () => number): Promise<LatencyPair[]> {
  const pairs: LatencyPair[] = [];
  const startedAt = nowMs();
  for await (const pair of race) {
    pairs.push(pair);
    if (pairs.length < MIN_PAIRS) continue;
    if (isFaster(pairs, EARLY_ALPHA) || fasterByChance(pairs) > LOST) break;
    if (pairs.length >= MAX_PAIRS || nowMs() - startedAt > RACE_MS) break;
  }
  return pairs;
}

function isFaster(pairs: readonly LatencyPair[], alpha: number): boolean {
  return pairs.length > 0 && fasterByChance(pairs) < alpha && ratioOf(pairs).median < 1 - MIN_GAIN;
}
