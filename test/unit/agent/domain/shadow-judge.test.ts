import { describe, expect, it } from 'vitest';
import {
  ShadowJudge,
  type ShadowDecision,
  type ShadowPair,
  type ShadowPlan,
} from '#agent/domain/shadow-judge.ts';
import { evidenceSchema } from '#protocol/evidence.ts';
import { seededUniform } from '#test/bench/seeded-uniform.ts';
import { QUIET_WORLD, ROUGH_WORLD, simulatedPairs, type LatencyWorld } from '#test/bench/simulated-pairs.ts';

const PLAN: ShadowPlan = { minPairs: 100, latencyMargin: 0.1, alpha: 0.001, maxDisagreementRate: 0.05 };
const EQUAL: ShadowPair = {
  latencyAMs: 5, latencyBMs: 5, errorA: false, errorB: false, finiteB: true, top1A: 3, top1B: 3, throttled: false,
}; // prettier-ignore

function feed(judge: ShadowJudge, pair: Partial<ShadowPair>, times: number): ShadowDecision {
  for (let i = 0; i < times; i++) judge.observe({ ...EQUAL, ...pair });
  return judge.decision;
}

/** Decision and pairs it took, within `limit` pairs. */
function judgeWorld(world: LatencyWorld, seed: number, plan: ShadowPlan = PLAN, limit = 1_000) {
  const judge = new ShadowJudge(plan);
  for (const pair of simulatedPairs(world, seededUniform(seed))) {
    if (judge.observe(pair) !== 'continue' || judge.pairs >= limit) break;
  }
  return { decision: judge.decision, pairs: judge.pairs };
}

describe('the shadow judge', () => {
  it('passes an equal candidate at the least number of pairs, with evidence that fits the protocol', () => {
    const judge = new ShadowJudge(PLAN);
    expect(feed(judge, {}, 99)).toBe('continue');
    expect(feed(judge, {}, 1)).toBe('pass');
    const { reason, evidence } = judge.judgement(9);
    expect(reason).toBeNull();
    expect(evidence.map(({ gate, verdict }) => [gate, verdict])).toEqual([
      ['latency', 'pass'],
      ['errors', 'pass'],
      ['disagreement', 'pass'],
    ]);
    for (const piece of evidence) evidenceSchema.parse(piece);
    expect(evidence[0]).toMatchObject({ n: 100, k: 0, baselineP50Ms: 5, candidateP50Ms: 5, ratio: 1 });
  });

  it('fails a candidate of twice the latency after 15 pairs and tells the medians', () => {
    const judge = new ShadowJudge(PLAN);
    let pairs = 0;
    while (feed(judge, { latencyBMs: 10 }, 1) === 'continue') pairs++;
    expect(pairs + 1).toBe(15); // the first n with (2^(n+1) - 1) / (n+1) >= 3000
    const { decision, reason, evidence } = judge.judgement(9);
    expect([decision, reason]).toEqual(['fail', 'latency-regression']);
    expect(evidence[0]).toMatchObject({
      gate: 'latency',
      verdict: 'fail',
      baselineP50Ms: 5,
      candidateP50Ms: 10,
      ratio: 2,
    });
    expect(evidence[0]?.log10E).toBeGreaterThanOrEqual(evidence[0]?.log10Threshold ?? Infinity);
  });

  it('does not call a candidate within the margin slower', () => {
    expect(feed(new ShadowJudge(PLAN), { latencyBMs: 5.49 }, 100)).toBe('pass');
  });

  it('fails a candidate that alone gives errors, and not one whose errors the baseline shares', () => {
    const alone = new ShadowJudge(PLAN);
    expect(feed(alone, { errorB: true, latencyBMs: null, top1B: null }, 15)).toBe('fail');
    expect(alone.judgement(9).reason).toBe('error-regression');
    const shared = new ShadowJudge(PLAN);
    expect(
      feed(
        shared,
        { errorA: true, errorB: true, latencyAMs: null, latencyBMs: null, top1A: null, top1B: null },
        500,
      ),
    ).toBe('continue');
    expect(shared.judgement(9).evidence[1]).toMatchObject({ gate: 'errors', n: 0, k: 0 });
  });

  it('fails at once on NaN or infinity, throttled or not', () => {
    const judge = new ShadowJudge(PLAN);
    expect(feed(judge, { finiteB: false, throttled: true }, 1)).toBe('fail');
    const { reason, evidence } = judge.judgement(9);
    expect(reason).toBe('not-finite');
    expect(evidence[0]).toMatchObject({ gate: 'finite', verdict: 'fail', method: 'hard', n: 1, k: 1 });
  });

  it('holds for heavy disagreement, never fails for it', () => {
    const judge = new ShadowJudge(PLAN);
    let decision: ShadowDecision = 'continue';
    for (let i = 0; decision === 'continue'; i++) decision = feed(judge, { top1B: i % 3 === 0 ? 4 : 3 }, 1);
    expect(decision).toBe('hold');
    expect(judge.judgement(9).reason).toBe('disagreement');
    expect(judge.pairs).toBeLessThan(60);
  });

  it('holds at the first difference when the contract declares none', () => {
    const judge = new ShadowJudge({ ...PLAN, maxDisagreementRate: 0 });
    feed(judge, {}, 80);
    expect(feed(judge, { top1B: 4 }, 1)).toBe('hold');
  });

  it('drops pairs that span a throttle change', () => {
    const judge = new ShadowJudge(PLAN);
    expect(feed(judge, { latencyBMs: 50, throttled: true }, 200)).toBe('continue');
    expect(judge.judgement(9).evidence[0]).toMatchObject({ n: 0, k: 0, verdict: 'inconclusive' });
  });

  it('is not hurried into a pass while another metric speaks against the candidate', () => {
    const judge = new ShadowJudge({ ...PLAN, minPairs: 60 });
    feed(judge, { errorB: true, latencyBMs: null, top1B: null }, 9);
    expect(feed(judge, {}, 200)).toBe('continue');
  });

  it('does not pass a candidate as fast as the baseline before its answers speak for it too', () => {
    const plan = { ...PLAN, minPairs: 10, maxDisagreementRate: 0.03 };
    const passed = Array.from({ length: 200 }, (_, seed) => {
      const uniform = seededUniform(seed);
      const judge = new ShadowJudge(plan);
      while (judge.decision === 'continue') judge.observe({ ...EQUAL, top1B: uniform() < 0.12 ? 4 : 3 });
      return judge.decision === 'pass';
    }).filter(Boolean);
    expect(passed.length).toBeLessThanOrEqual(200 * 0.05);
  });

  it('says inconclusive at the deadline and keeps a decision it has', () => {
    const undecided = new ShadowJudge(PLAN);
    feed(undecided, {}, 20);
    expect(undecided.judgementAtDeadline(9)).toMatchObject({ decision: 'hold', reason: 'inconclusive' });
    expect(undecided.judgementAtDeadline(9).evidence.map(({ verdict }) => verdict)).toEqual([
      'inconclusive',
      'inconclusive',
      'inconclusive',
    ]);
    const passed = new ShadowJudge(PLAN);
    feed(passed, {}, 100);
    expect(passed.judgementAtDeadline(9).decision).toBe('pass');
  });

  it('turns hardly any equal candidate away, however the latencies hang together and drift', () => {
    // At alpha = 0.05 the rate is large enough to be seen; margin 0 is the hardest null: P(x = 1) = 1/2.
    const plan = { ...PLAN, alpha: 0.05, latencyMargin: 0, minPairs: 1_000 };
    for (const world of [QUIET_WORLD, ROUGH_WORLD]) {
      const runs = 600;
      let failed = 0;
      for (let seed = 0; seed < runs; seed++)
        if (judgeWorld(world, seed, plan, 300).decision === 'fail') failed++;
      expect(failed / runs).toBeLessThanOrEqual(0.05 / 3 + 3 * Math.sqrt(0.05 / 3 / runs));
    }
  });

  it('seldom passes a candidate that is slower by the margin', () => {
    const plan = { ...PLAN, latencyMargin: 0, minPairs: 20 };
    for (const world of [QUIET_WORLD, ROUGH_WORLD]) {
      const runs = 600;
      let passed = 0;
      for (let seed = 0; seed < runs; seed++)
        if (judgeWorld(world, seed, plan, 300).decision === 'pass') passed++;
      expect(passed / runs).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt(0.05 / runs));
    }
  });

  it('finds twice the latency in rough weather too', () => {
    for (let seed = 0; seed < 100; seed++) {
      const { decision, pairs } = judgeWorld({ ...ROUGH_WORLD, effect: 2 }, seed);
      expect(decision).toBe('fail');
      expect(pairs).toBeLessThan(100);
    }
  });
});
