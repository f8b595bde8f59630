// Is the candidate worse than the version in service, on pairs of runs of the same live input? Pure.
// K = 3 metrics share alpha by Bonferroni: act when E >= K/alpha, valid at any number of looks (Ville).
// Both slots run a pair in coin-flip order, so without a true difference P(x = 1 | past) <= 1/2 holds
// however the latencies drift or hang together.

import type { DeploymentReason } from '#protocol/deployment.ts';
import type { Evidence } from '#protocol/evidence.ts';
import { lnEAtLeast, lnEAtMost } from './e-process.ts';
import { describeShadow, type ShadowCounts } from './shadow-judge-evidence.ts';
import { RecentPairs } from './shadow-judge-medians.ts';

/** One input run by both slots: A serves, B is the candidate. Latencies in ms, null after an error. */
export interface ShadowPair {
  readonly latencyAMs: number | null;
  readonly latencyBMs: number | null;
  readonly errorA: boolean;
  readonly errorB: boolean;
  /** False when an output of B holds NaN or infinity. */
  readonly finiteB: boolean;
  /** Index of the best class; null without classification or after an error. */
  readonly top1A: number | null;
  readonly top1B: number | null;
  /** The pair spans a throttle change. */
  readonly throttled: boolean;
}

export interface ShadowPlan {
  /** Latency pairs before a pass may be said. */
  readonly minPairs: number;
  /** B is slower in a pair when its latency is above (1 + this) times A's. */
  readonly latencyMargin: number;
  /** Chance of failing or holding a candidate that is not worse, over any number of looks. */
  readonly alpha: number;
  /** Share of inputs on which the candidate's top-1 may differ, as its contract declares. */
  readonly maxDisagreementRate: number;
}

export type ShadowDecision = 'continue' | 'pass' | 'fail' | 'hold';

export interface ShadowJudgement {
  readonly decision: ShadowDecision;
  /** Why a candidate fails or is held; null otherwise. */
  readonly reason: DeploymentReason | null;
  readonly evidence: readonly Evidence[];
}

const METRICS = 3;
/** Chance of passing a candidate that is slower in at least half of the pairs, or that disagrees too much, over any number of looks. */
export const PASS_ALPHA = 0.05;
const LN_PASS = -Math.log(PASS_ALPHA);
/**
 * A pass must also speak against a disagreement of twice what is declared (declared + 1 point at least):
 * without that a candidate of equal speed would pass before it has shown enough of its answers.
 */
const toleratedDisagreement = (declared: number): number => Math.max(2 * declared, declared + 0.01);

export class ShadowJudge {
  readonly #plan: ShadowPlan;
  readonly #lnThreshold: number;
  readonly #recent = new RecentPairs();
  #counts: ShadowCounts = {
    pairs: 0,
    dropped: 0,
    notFinite: 0,
    latency: ZERO,
    errors: ZERO,
    disagreement: ZERO,
  };
  #decision: ShadowDecision = 'continue';
  #reason: DeploymentReason | null = null;

  constructor(plan: ShadowPlan) {
    this.#plan = plan;
    this.#lnThreshold = Math.log(METRICS / plan.alpha);
  }

  get decision(): ShadowDecision {
    return this.#decision;
  }

  /** Pairs that were looked at, dropped ones included. */
  get pairs(): number {
    return this.#counts.pairs;
  }

  /** Takes one pair in; a decision once made stays. */
  observe(pair: ShadowPair): ShadowDecision {
    if (this.#decision !== 'continue') return this.#decision;
    this.#counts = counted(this.#counts, pair, this.#plan.latencyMargin);
    if (!pair.throttled && pair.latencyAMs !== null && pair.latencyBMs !== null) {
      this.#recent.add(pair.latencyAMs, pair.latencyBMs);
    }
    [this.#decision, this.#reason] = this.#decide();
    return this.#decision;
  }

  /** Decision and numbers so far. */
  judgement(atMs: number): ShadowJudgement {
    const { latency, errors, disagreement } = this.#lnE();
    const evidence = describeShadow(this.#counts, {
      atMs,
      lnE: { latency, errors, disagreement },
      lnThreshold: this.#lnThreshold,
      lnEFaster: lnEAtLeast(this.#counts.latency.k, this.#counts.latency.n, 0.5),
      passed: this.#decision === 'pass',
      medians: this.#recent.medians(),
      latencyMargin: this.#plan.latencyMargin,
      maxDisagreementRate: this.#plan.maxDisagreementRate,
    });
    return { decision: this.#decision, reason: this.#reason, evidence };
  }

  /** What is said when time is up: a decision if there was one, `continue` turned into a hold for a person. */
  judgementAtDeadline(atMs: number): ShadowJudgement {
    const judgement = this.judgement(atMs);
    return judgement.decision === 'continue'
      ? { ...judgement, decision: 'hold', reason: 'inconclusive' }
      : judgement;
  }

  #decide(): [ShadowDecision, DeploymentReason | null] {
    const lnE = this.#lnE();
    if (this.#counts.notFinite > 0) return ['fail', 'not-finite'];
    if (lnE.errors >= this.#lnThreshold) return ['fail', 'error-regression'];
    if (lnE.latency >= this.#lnThreshold) return ['fail', 'latency-regression'];
    if (lnE.disagreement >= this.#lnThreshold) return ['hold', 'disagreement'];
    const { n, k } = this.#counts.latency;
    const isFastEnough = n >= this.#plan.minPairs && lnEAtLeast(k, n, 0.5) >= LN_PASS;
    const isSuspect = Math.max(lnE.errors, lnE.disagreement) >= LN_PASS;
    return isFastEnough && !isSuspect && this.#agrees() ? ['pass', null] : ['continue', null];
  }

  /** Nothing to agree on (no classification) counts as agreement. */
  #agrees(): boolean {
    const { n, k } = this.#counts.disagreement;
    const tolerated = toleratedDisagreement(this.#plan.maxDisagreementRate);
    return n === 0 || tolerated >= 1 || lnEAtLeast(k, n, tolerated) >= LN_PASS;
  }

  #lnE(): { latency: number; errors: number; disagreement: number } {
    const { latency, errors, disagreement } = this.#counts;
    return {
      latency: lnEAtMost(latency.k, latency.n, 0.5),
      errors: lnEAtMost(errors.k, errors.n, 0.5),
      disagreement: lnEAtMost(disagreement.k, disagreement.n, this.#plan.maxDisagreementRate),
    };
  }
}

const ZERO = { n: 0, k: 0 } as const;

/** NaN counts however warm the machine was; everything else of a throttled pair is dropped. */
function counted(counts: ShadowCounts, pair: ShadowPair, margin: number): ShadowCounts {
  const { latencyAMs, latencyBMs, errorA, errorB, top1A, top1B } = pair;
  const seen = { ...counts, pairs: counts.pairs + 1, notFinite: counts.notFinite + (pair.finiteB ? 0 : 1) };
  if (pair.throttled) return { ...seen, dropped: counts.dropped + 1 };
  const bothTimed = latencyAMs !== null && latencyBMs !== null;
  const bothClassified = top1A !== null && top1B !== null;
  return {
    ...seen,
    latency: bothTimed ? plus(counts.latency, latencyBMs > (1 + margin) * latencyAMs) : counts.latency,
    // Only pairs in which exactly one slot failed say anything about which is worse.
    errors: errorA === errorB ? counts.errors : plus(counts.errors, errorB),
    disagreement: bothClassified ? plus(counts.disagreement, top1A !== top1B) : counts.disagreement,
  };
}

function plus({ n, k }: { n: number; k: number }, isOne: boolean): { n: number; k: number } {
  return { n: n + 1, k: k + (isOne ? 1 : 0) };
}
