import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  judgeCandidates, NOISE_GAIN, type CandidateBudgets, type Judgement, type MeasuredCandidate,
} from '#control-plane/evaluation/choose.ts'; // prettier-ignore

const BUDGETS: CandidateBudgets = {
  p95LatencyMs: 10,
  weightsBytes: 1_000,
  memoryBytes: 1_000,
  maxAccuracyLoss: 0.01,
};

/** A latency without spread. */
const steady = (median: number) => [{ median, low: median, high: median }];

function candidate(name: string, rest: Partial<MeasuredCandidate> = {}): MeasuredCandidate {
  return {
    name, accuracy: 0.98, loss: 0, p95Ms: 2, latencies: steady(1), sizeBytes: 100, memoryBytes: 100, ...rest,
  }; // prettier-ignore
}

const int8 = (rest: Partial<MeasuredCandidate> = {}) =>
  candidate('int8', { accuracy: 0.979, loss: 0.001, latencies: steady(0.7), p95Ms: 1.4, sizeBytes: 30, ...rest }); // prettier-ignore
const original = (rest: Partial<MeasuredCandidate> = {}) => candidate('the original', rest);

const proposedOf = (judged: readonly Judgement[]): number =>
  judged.findIndex(({ verdict }) => verdict === 'proposed');

describe('of the candidates within the budgets', () => {
  it('the fastest is proposed, and says by how much', () => {
    const [first, second] = judgeCandidates([int8(), original()], BUDGETS);
    expect(first).toEqual({
      verdict: 'proposed',
      why: 'the fastest within the budgets, 1.43 times as fast as the original',
    });
    expect(second).toEqual({ verdict: 'front', why: 'int8 is 1.43 times as fast' });
  });

  it('the original wins where int8 is slower beyond noise', () => {
    const judged = judgeCandidates([int8({ latencies: steady(1.2), p95Ms: 2.4 }), original()], BUDGETS);
    expect(judged.map(({ verdict }) => verdict)).toEqual(['front', 'proposed']);
  });

  it('one listed earlier stays when the gain may be noise', () => {
    const judged = judgeCandidates([int8({ latencies: steady(1.08) }), original()], BUDGETS);
    expect(judged[0]).toEqual({
      verdict: 'proposed',
      why: 'preferred to the original, which is only 1.08 times as fast',
    });
    expect(judged[1]?.why).toBe('only 1.08 times as fast as int8, which is preferred');
  });

  it('one listed earlier stays when its own runs spread as far as the gain', () => {
    const wide = int8({ latencies: [{ median: 1.2, low: 0.9, high: 1.5 }] });
    expect(judgeCandidates([wide, original()], BUDGETS)[0]?.verdict).toBe('proposed');
  });

  it('one listed earlier stays when two machines contradict each other, and goes when they agree', () => {
    const slower = [...steady(3), ...steady(1.2)];
    const both = { latencies: [...steady(1), ...steady(1)] };
    expect(judgeCandidates([int8({ latencies: slower }), original(both)], BUDGETS)[1]?.verdict).toBe(
      'proposed',
    );
    const contradicted = [...steady(3), ...steady(0.7)];
    expect(judgeCandidates([int8({ latencies: contradicted }), original(both)], BUDGETS)[0]?.verdict).toBe('proposed'); // prettier-ignore
  });

  it('the first is proposed when nobody could time them for this profile', () => {
    const untimed = { latencies: [], p95Ms: null };
    const judged = judgeCandidates([int8({ ...untimed, accuracy: 0.98 }), original(untimed)], BUDGETS);
    expect(judged[0]?.verdict).toBe('proposed');
    expect(judged[0]?.why).toMatch(/no timing that would count/);
    expect(judged[1]?.why).toBe('in nothing that counts here better than int8');
  });

  it('one that is in nothing better than another says than which', () => {
    const judged = judgeCandidates([int8(), original(), candidate('fp16', { sizeBytes: 200 })], BUDGETS);
    expect(judged[2]).toEqual({ verdict: 'dominated', why: 'in nothing better than the original' });
  });
});

describe('over a budget', () => {
  it.each([
    [{ loss: 0.021 }, 'loses 2.10 points of accuracy, 1.00 points are allowed'],
    [{ p95Ms: 12.345 }, 'p95 of 12.35 ms, 10 ms are allowed'],
    [{ sizeBytes: 1_001 }, '1.0 kB of weights, 1.0 kB are allowed'],
    [{ memoryBytes: 2_000 }, '2.0 kB of memory, 1.0 kB are allowed'],
  ])('by %o it is not proposed, and says so', (rest, why) => {
    const judged = judgeCandidates([int8(rest), original()], BUDGETS);
    expect(judged[0]).toEqual({ verdict: 'over-budget', why });
    expect(judged[1]).toEqual({ verdict: 'proposed', why: 'no other is within the budgets' });
  });

  it('all of them, nothing is proposed', () => {
    const judged = judgeCandidates([int8(), original()], { ...BUDGETS, weightsBytes: 10 });
    expect(judged.map(({ verdict }) => verdict)).toEqual(['over-budget', 'over-budget']);
  });

  it('a loss of exactly the allowed share is within it', () => {
    const judged = judgeCandidates([int8({ loss: 0.98 - 0.97 })], BUDGETS);
    expect(judged[0]?.verdict).toBe('proposed');
  });
});

const amount = fc.double({ min: 0.1, max: 20, noNaN: true });
const any: fc.Arbitrary<MeasuredCandidate[]> = fc.array(
  fc.record({
    name: fc.constant('one'),
    accuracy: fc.double({ min: 0, max: 1, noNaN: true }),
    loss: fc.double({ min: -0.02, max: 0.02, noNaN: true }),
    p95Ms: amount,
    latencies: amount.map(steady),
    sizeBytes: fc.integer({ min: 1, max: 1_500 }),
    memoryBytes: fc.integer({ min: 1, max: 1_500 }),
  }),
  { minLength: 1, maxLength: 8 },
);

const isWithin = (one: MeasuredCandidate): boolean =>
  (one.loss ?? 0) <= BUDGETS.maxAccuracyLoss &&
  (one.p95Ms ?? 0) <= BUDGETS.p95LatencyMs &&
  one.sizeBytes <= BUDGETS.weightsBytes &&
  (one.memoryBytes ?? 0) <= BUDGETS.memoryBytes;

describe('of any candidates', () => {
  it('one is proposed exactly when one is within the budgets, and it is one of those', () => {
    fc.assert(
      fc.property(any, (all) => {
        const judged = judgeCandidates(all, BUDGETS);
        const count = judged.filter(({ verdict }) => verdict === 'proposed').length;
        expect(count).toBe(all.some(isWithin) ? 1 : 0);
        judged.forEach(({ verdict }, index) =>
          expect(verdict === 'over-budget').toBe(!isWithin(all[index] as MeasuredCandidate)),
        );
      }),
    );
  });

  it('nobody within the budgets is faster than the proposed one beyond noise', () => {
    fc.assert(
      fc.property(any, (all) => {
        const chosen = all[proposedOf(judgeCandidates(all, BUDGETS))];
        if (chosen === undefined) return;
        const fastest = Math.min(...all.filter(isWithin).map((one) => one.latencies[0]?.median ?? 0));
        expect((chosen.latencies[0]?.median ?? 0) / fastest).toBeLessThan(NOISE_GAIN);
      }),
    );
  });

  it('latencies that differ by noise alone leave the first one that is within the budgets', () => {
    const noisy = any.chain((all) =>
      fc
        .array(fc.double({ min: 1, max: 1.09, noNaN: true }), {
          minLength: all.length,
          maxLength: all.length,
        })
        .map((times) => all.map((one, at) => ({ ...one, latencies: steady(5 * (times[at] ?? 1)) }))),
    );
    fc.assert(
      fc.property(noisy, (all) => {
        expect(proposedOf(judgeCandidates(all, BUDGETS))).toBe(all.findIndex(isWithin));
      }),
    );
  });
});
