import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dominators, type ParetoPoint } from '#control-plane/evaluation/pareto.ts';

const point = (accuracy: number, p95Ms: number, sizeBytes: number, memoryBytes: number): ParetoPoint => ({
  accuracy,
  p95Ms,
  sizeBytes,
  memoryBytes,
});

const small = fc.integer({ min: 1, max: 4 });
const points = fc.array(
  fc.tuple(small, small, small, small).map((values) => point(...values)),
  {
    minLength: 1,
    maxLength: 8,
  },
);

const isAsGood = (left: ParetoPoint, right: ParetoPoint): boolean =>
  (left.accuracy ?? 0) >= (right.accuracy ?? 0) &&
  (left.p95Ms ?? 0) <= (right.p95Ms ?? 0) &&
  left.sizeBytes <= right.sizeBytes &&
  (left.memoryBytes ?? 0) <= (right.memoryBytes ?? 0);

test('what is worse in one thing and better in none is dominated, and by whom', () => {
  const fast = point(0.9, 1, 10, 10);
  expect(dominators([fast, point(0.9, 2, 10, 10), point(0.95, 5, 40, 10)])).toEqual([null, 0, null]);
});

test('equal points are all on the front', () => {
  expect(dominators([point(0.9, 1, 1, 1), point(0.9, 1, 1, 1)])).toEqual([null, null]);
});

test('what is not known of one is compared of none', () => {
  const untimed = { ...point(0.9, 0, 20, 5), p95Ms: null };
  expect(dominators([untimed, point(0.9, 1, 10, 5)])).toEqual([1, null]);
});

test('there is always a front, it beats all others, and nobody on it beats another', () => {
  fc.assert(
    fc.property(points, (all) => {
      const by = dominators(all);
      const front = all.filter((_, index) => by[index] === null);
      expect(front.length).toBeGreaterThan(0);
      by.forEach((winner, index) => {
        if (winner === null) return;
        expect(by[winner]).toBeNull();
        expect(isAsGood(all[winner] as ParetoPoint, all[index] as ParetoPoint)).toBe(true);
      });
      for (const one of front)
        for (const other of front) if (isAsGood(one, other)) expect(isAsGood(other, one)).toBe(true);
    }),
  );
});

test('the order of the candidates does not matter', () => {
  fc.assert(
    fc.property(points, (all) => {
      const front = (list: readonly ParetoPoint[]) => {
        const by = dominators(list);
        return new Set(list.filter((_, index) => by[index] === null));
      };
      expect(front(all.toReversed())).toEqual(front(all));
    }),
  );
});
