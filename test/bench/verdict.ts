// How many pairs a shadow needs, and how often it is wrong, in a quiet world and in one whose latencies
// wander, stall and warm up. Seeded: the same numbers every time.

import { ShadowJudge, type ShadowDecision } from '#agent/domain/shadow-judge.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import { seededUniform } from './seeded-uniform.ts';
import { QUIET_WORLD, ROUGH_WORLD, simulatedPairs, type LatencyWorld } from './simulated-pairs.ts';
import { textTable } from './text-table.ts';

export interface VerdictCase {
  /** Candidate's latency over the baseline's. */
  readonly effect: number;
  /** Correlation of the latency level from run to run. */
  readonly autocorrelation: number;
  /** Median of the pairs until a decision; null when half of the runs came to none. */
  readonly medianPairs: number | null;
  /** Share of runs with the wrong decision: turned away though within the margin, or passed though beyond it. */
  readonly falseRate: number;
  readonly passed: number;
  readonly failed: number;
  readonly undecided: number;
}

const EFFECTS = [0.8, 1, 1.05, 1.1, 1.25, 1.5, 2, 3];
const MAX_PAIRS = 2_000;
const { minPairs, latencyMargin, alpha } = DEFAULT_DEPLOYMENT_POLICY;

export function benchVerdict(options: { runs: number; progress: (line: string) => void }): VerdictCase[] {
  const cases: VerdictCase[] = [];
  for (const world of [QUIET_WORLD, ROUGH_WORLD]) {
    for (const effect of EFFECTS) {
      const found = runCase({ ...world, effect }, options.runs);
      options.progress(
        `effect ${effect}, autocorrelation ${world.autocorrelation}: median ${found.medianPairs ?? 'none'} pairs`,
      );
      cases.push(found);
    }
  }
  return cases;
}

export function verdictTable(cases: readonly VerdictCase[]): string {
  const rows = cases.map((c) => [
    `x${c.effect}`, String(c.autocorrelation), c.medianPairs === null ? '-' : String(c.medianPairs), percent(c.falseRate),
    percent(c.passed), percent(c.failed), percent(c.undecided),
  ]); // prettier-ignore
  const head = [
    'latency',
    'autocorrelation',
    'median pairs',
    'false',
    'passed',
    'failed',
    `none in ${MAX_PAIRS}`,
  ];
  return `margin ${percent(latencyMargin)}, alpha ${alpha}, at least ${minPairs} pairs for a pass\n${textTable(head, rows)}`;
}

function runCase(world: LatencyWorld, runs: number): VerdictCase {
  const outcomes = Array.from({ length: Math.round(runs) }, (_, seed) => judgeOnce(world, seed));
  const share = (decision: ShadowDecision): number =>
    outcomes.filter((o) => o.decision === decision).length / outcomes.length;
  const pairs = outcomes.map((o) => (o.decision === 'continue' ? Infinity : o.pairs)).sort((a, b) => a - b);
  const medianPairs = pairs[pairs.length >> 1] ?? Infinity;
  const [passed, failed] = [share('pass'), share('fail')];
  return {
    effect: world.effect,
    autocorrelation: world.autocorrelation,
    medianPairs: Number.isFinite(medianPairs) ? medianPairs : null,
    // Exactly at the margin neither decision is wrong more than the other; the stricter reading is taken.
    falseRate: world.effect <= 1 + latencyMargin ? failed : passed,
    passed,
    failed,
    undecided: share('continue'),
  };
}

function judgeOnce(world: LatencyWorld, seed: number): { decision: ShadowDecision; pairs: number } {
  const judge = new ShadowJudge({ minPairs, latencyMargin, alpha, maxDisagreementRate: 0.05 });
  for (const pair of simulatedPairs(world, seededUniform(seed))) {
    if (judge.observe(pair) !== 'continue' || judge.pairs >= MAX_PAIRS) break;
  }
  return { decision: judge.decision, pairs: judge.pairs };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
