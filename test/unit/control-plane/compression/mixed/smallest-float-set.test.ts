import fc from 'fast-check';
import { expect, test } from 'vitest';
import { smallestFloatSet } from '#control-plane/compression/mixed/smallest-float-set.ts';

/** Layers are their own harm; the loss is the sum of those in 8 bits. */
function additive(harms: readonly number[], maxLoss: number) {
  const ordered = harms.map((harm, at) => ({ harm, at })).toSorted((a, b) => b.harm - a.harm);
  const asked: number[] = [];
  const isEnough = async (float: readonly { at: number }[]) => {
    asked.push(float.length);
    const inFloat = new Set(float.map(({ at }) => at));
    return harms.reduce((sum, harm, at) => sum + (inFloat.has(at) ? 0 : harm), 0) <= maxLoss;
  };
  return { ordered, isEnough, asked };
}

test('nothing stays in float where nothing has to', async () => {
  const { ordered, isEnough, asked } = additive([1, 2, 3], 6);
  expect(await smallestFloatSet({ ordered, isEnough, giveBackTrials: 5 })).toEqual([]);
  expect(asked).toEqual([0]);
});

test('only the layers that do the harm stay in float', async () => {
  const { ordered, isEnough } = additive([1, 40, 1, 30, 1], 4);
  const float = await smallestFloatSet({ ordered, isEnough, giveBackTrials: 5 });
  expect(float.map(({ at }) => at)).toEqual([1, 3]);
});

test('a layer that the order ranked too high is given back', async () => {
  const needed = new Set(['b', 'd']);
  const isEnough = async (float: readonly string[]) => [...needed].every((layer) => float.includes(layer));
  const float = await smallestFloatSet({
    ordered: ['a', 'b', 'c', 'd', 'e', 'f'],
    isEnough,
    giveBackTrials: 6,
  });
  expect(float).toEqual(['b', 'd']);
});

test('the loss is within its limit, no single layer can go, and the questions are bounded', async () => {
  const harmsOf = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(harmsOf, fc.integer({ min: 0, max: 400 }), async (harms, maxLoss) => {
      const { ordered, isEnough, asked } = additive(harms, maxLoss);
      const float = await smallestFloatSet({ ordered, isEnough, giveBackTrials: 40 });
      expect(asked.length).toBeLessThanOrEqual(Math.ceil(Math.log2(harms.length)) + 1 + 40);
      expect(float.length === ordered.length || (await isEnough(float))).toBe(true);
      for (const layer of float.length > 1 ? float : [])
        expect(await isEnough(float.filter((other) => other !== layer))).toBe(false);
    }),
  );
});

test.each([1, 2, 3, 4, 5, 6, 7])('the binary search alone finds the first %d layers', async (needed) => {
  const ordered = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const isEnough = async (float: readonly string[]) => float.length >= needed;
  const float = await smallestFloatSet({ ordered, isEnough, giveBackTrials: 0 });
  expect(float).toEqual(ordered.slice(0, needed));
});

test('giving back goes in pieces where there are more layers than trials', async () => {
  const { ordered, isEnough, asked } = additive(
    Array.from({ length: 64 }, () => 1),
    0,
  );
  expect(await smallestFloatSet({ ordered, isEnough, giveBackTrials: 4 })).toHaveLength(64);
  expect(asked.filter((length) => length === 48)).not.toHaveLength(0);
  expect(asked.length).toBeLessThanOrEqual(1 + 6 + 4);
});
