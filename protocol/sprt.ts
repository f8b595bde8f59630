// Wald's sequential probability ratio test of a coin's rate: p0 is good, p1 is bad. Pure.
// Invariant: once decided it stays decided. P(reject | p0) <= about alpha, P(accept | p1) <= about beta.
// Source: Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics 16(2), 1945.

export interface SprtPlan {
  readonly p0: number;
  readonly p1: number;
  /** Chance of calling a good rate bad, and a bad one good. */
  readonly alpha: number;
  readonly beta: number;
}

export const HEALTH_SPRT: SprtPlan = { p0: 0.01, p1: 0.05, alpha: 0.001, beta: 0.05 };

export type SprtDecision = 'continue' | 'good' | 'bad';

/** ln of the likelihood ratio at which the rate is called bad (upper) and good (lower). */
export function sprtBounds({ alpha, beta }: SprtPlan): { upper: number; lower: number } {
  return { upper: Math.log((1 - beta) / alpha), lower: Math.log(beta / (1 - alpha)) };
}

/** ln of the likelihood ratio p1 to p0 after `k` bad ones in `n`. */
export function sprtLnRatio({ p0, p1 }: Pick<SprtPlan, 'p0' | 'p1'>, k: number, n: number): number {
  return k * Math.log(p1 / p0) + (n - k) * Math.log((1 - p1) / (1 - p0));
}

export class Sprt {
  readonly plan: SprtPlan;
  readonly #upper: number;
  readonly #lower: number;
  #n = 0;
  #k = 0;
  #decision: SprtDecision = 'continue';

  constructor(plan: SprtPlan) {
    if (!(plan.p0 > 0 && plan.p0 < plan.p1 && plan.p1 < 1)) throw new RangeError('need 0 < p0 < p1 < 1');
    this.plan = plan;
    const { upper, lower } = sprtBounds(plan);
    this.#upper = upper;
    this.#lower = lower;
  }

  get n(): number {
    return this.#n;
  }

  /** Observations that were bad. */
  get k(): number {
    return this.#k;
  }

  get decision(): SprtDecision {
    return this.#decision;
  }

  /** ln of the likelihood ratio p1 to p0 of all observations. */
  get lnRatio(): number {
    return sprtLnRatio(this.plan, this.#k, this.#n);
  }

  observe(isBad: boolean): SprtDecision {
    if (this.#decision !== 'continue') return this.#decision;
    this.#n++;
    if (isBad) this.#k++;
    if (this.lnRatio >= this.#upper) this.#decision = 'bad';
    else if (this.lnRatio <= this.#lower) this.#decision = 'good';
    return this.#decision;
  }
}
