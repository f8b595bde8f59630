// Shadow pairs as a busy device would make them: log-normal latencies around a common level that wanders
// (AR(1)), the second run of a pair feeling the first, and stalls that hit either run alike.

import type { ShadowPair } from '#agent/domain/shadow-judge.ts';

export interface LatencyWorld {
  /** Candidate's latency over the baseline's, all else equal. */
  readonly effect: number;
  /** Correlation of the level from one run to the next, 0 to 1. */
  readonly autocorrelation: number;
  /** Standard deviation of ln latency of a single run, and of the wandering level. */
  readonly noise: number;
  readonly levelNoise: number;
  /** Share of runs that stall, and how many times longer a stalled run takes. */
  readonly stallRate: number;
  readonly stallFactor: number;
  /** The second run of a pair takes this many times as long (a warm cache is under 1). */
  readonly secondRunFactor: number;
}

export const QUIET_WORLD: LatencyWorld = {
  effect: 1, autocorrelation: 0, noise: 0.15, levelNoise: 0, stallRate: 0.01, stallFactor: 4, secondRunFactor: 1,
}; // prettier-ignore
export const ROUGH_WORLD: LatencyWorld = {
  effect: 1, autocorrelation: 0.95, noise: 0.15, levelNoise: 0.3, stallRate: 0.03, stallFactor: 6, secondRunFactor: 0.9,
}; // prettier-ignore

const BASE_MS = 5;

/** An endless stream of pairs; `uniform` gives all chance, the coin for the order included. */
export function* simulatedPairs(world: LatencyWorld, uniform: () => number): Generator<ShadowPair> {
  let level = world.levelNoise * normal(uniform);
  const run = (factor: number): number => {
    const innovation = Math.sqrt(1 - world.autocorrelation ** 2) * world.levelNoise;
    level = world.autocorrelation * level + innovation * normal(uniform);
    const stall = uniform() < world.stallRate ? world.stallFactor : 1;
    return BASE_MS * factor * stall * Math.exp(level + world.noise * normal(uniform));
  };
  for (;;) {
    const baselineFirst = uniform() < 0.5;
    const first = run(baselineFirst ? 1 : world.effect);
    const second = run((baselineFirst ? world.effect : 1) * world.secondRunFactor);
    yield {
      latencyAMs: baselineFirst ? first : second,
      latencyBMs: baselineFirst ? second : first,
      errorA: false,
      errorB: false,
      finiteB: true,
      top1A: 0,
      top1B: 0,
      throttled: false,
    };
  }
}

/** Standard normal by Box and Muller, 1958. */
function normal(uniform: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
