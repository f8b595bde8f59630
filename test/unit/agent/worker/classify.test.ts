import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argmax, classify, softmax, type ClassifyRule } from '#agent/worker/classify.ts';

const RULE: ClassifyRule = {
  kind: 'classify',
  output: 'logits',
  activation: 'softmax',
  topK: 2,
  minConfidence: 0,
};

describe('classification', () => {
  it('gives the best classes first with their labels', () => {
    const classes = classify([0, Math.log(3), Math.log(4)], RULE, ['cat', 'dog', 'owl']);
    expect(classes.map(({ label, index }) => [label, index])).toEqual([
      ['owl', 2],
      ['dog', 1],
    ]);
    expect(classes[0]?.score).toBeCloseTo(0.5, 12);
    expect(classes[1]?.score).toBeCloseTo(0.375, 12);
  });

  it('leaves classes under the threshold out, and takes scores as they are without activation', () => {
    expect(classify([0.2, 0.7], { ...RULE, activation: 'none', minConfidence: 0.5 }, ['a', 'b'])).toEqual([
      { index: 1, label: 'b', score: 0.7 },
    ]);
    expect(classify([0, 0, 0], { ...RULE, minConfidence: 0.5 }, [])).toEqual([]);
  });

  it('names a class without a label by its index, and puts the first of equals first', () => {
    expect(classify([5, 5], { ...RULE, topK: 1 }, []).map(({ label }) => label)).toEqual(['0']);
  });

  it('makes a probability distribution of any finite scores, in their order', () => {
    const scores = fc.array(fc.double({ min: -1e300, max: 1e300, noNaN: true }), {
      minLength: 1,
      maxLength: 50,
    });
    fc.assert(
      fc.property(scores, (values) => {
        const shares = softmax(values);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
        expect(shares[argmax(values)]).toBe(Math.max(...shares));
      }),
    );
  });

  it('never takes NaN for the largest', () => {
    expect(argmax([NaN, 1, 2, NaN])).toBe(2);
    expect(argmax([])).toBe(-1);
  });
});
