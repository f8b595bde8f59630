// Is a release healthy in service, with nothing beside it to compare with? Wald's SPRT on requests that
// failed or missed their deadline, started afresh each time it finds them good, so that a release that
// turns bad late in its probation is still seen. Pure. Source: Wald 1945; Page, Biometrika 41, 1954.

import type { Evidence } from '#protocol/evidence.ts';
import { LN10 } from './e-process.ts';
import { HEALTH_SPRT, Sprt, sprtBounds, type SprtPlan } from '#protocol/sprt.ts';

export interface HealthObservation {
  readonly error: boolean;
  readonly deadlineMissed: boolean;
}

/** `watching` has no verdict yet; `good` was good at least once and not bad since; `bad` is final. */
export type HealthDecision = 'watching' | 'good' | 'bad';

export class HealthGate {
  readonly #plan: SprtPlan;
  #test: Sprt;
  #total = 0;
  #bad = 0;
  #decision: HealthDecision = 'watching';

  constructor(plan: SprtPlan = HEALTH_SPRT) {
    this.#plan = plan;
    this.#test = new Sprt(plan);
  }

  get decision(): HealthDecision {
    return this.#decision;
  }

  observe({ error, deadlineMissed }: HealthObservation): HealthDecision {
    if (this.#decision === 'bad') return 'bad';
    const isBad = error || deadlineMissed;
    this.#total++;
    if (isBad) this.#bad++;
    const found = this.#test.observe(isBad);
    if (found === 'bad') this.#decision = 'bad';
    if (found === 'good') {
      this.#decision = 'good';
      this.#test = new Sprt(this.#plan);
    }
    return this.#decision;
  }

  /** The numbers so far; `inconclusive` while too few requests came for either verdict. */
  evidence(atMs: number): Evidence {
    const { upper } = sprtBounds(this.#plan);
    const verdict = { watching: 'inconclusive', good: 'pass', bad: 'fail' } as const;
    return {
      gate: 'probation',
      verdict: verdict[this.#decision],
      method: 'sprt',
      summary: `${this.#bad} of ${this.#total} requests failed or missed their deadline; good is ${100 * this.#plan.p0} %, bad ${100 * this.#plan.p1} %`,
      n: this.#total,
      k: this.#bad,
      log10E: this.#test.lnRatio / LN10,
      log10Threshold: upper / LN10,
      atMs,
    };
  }
}
