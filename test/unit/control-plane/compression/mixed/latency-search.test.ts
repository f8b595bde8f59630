import { expect, test } from 'vitest';
import type { LatencyPair } from '#control-plane/evaluation/pair-statistics.ts';
import { searchLatency, type LatencySearch } from '#control-plane/compression/mixed/latency-search.ts';

interface Machine extends Pick<LatencySearch, 'race' | 'accept' | 'nowMs'> {
  /** Pairs of each race so far. */
  readonly raced: readonly number[];
}

/** A machine on which a node costs so much time in 8 bits; in float each costs 10 ms. Every pair takes its time. */
function machine(
  int8Ms: Readonly<Record<string, number>>,
  noiseOf: (pair: number) => number = () => 1,
): Machine {
  let nowMs = 0;
  let runs = 0;
  let best: ReadonlySet<string> = new Set();
  const raced: number[] = [];
  const timeOf = (exclude: ReadonlySet<string>) =>
    Object.entries(int8Ms).reduce((sum, [name, ms]) => sum + (exclude.has(name) ? 10 : ms), 0);
  return {
    raced,
    nowMs: () => nowMs,
    accept: async (exclude: ReadonlySet<string>) => void (best = exclude),
    race: async function* (exclude: ReadonlySet<string>): AsyncGenerator<LatencyPair> {
      const at = raced.push(0) - 1;
      for (;;) {
        const pair = { originalMs: timeOf(best), candidateMs: timeOf(exclude) * noiseOf(runs++) };
        nowMs += pair.originalMs + pair.candidateMs;
        raced[at] = (raced[at] ?? 0) + 1;
        yield pair;
      }
    },
  };
}

const one = (name: string) => ({ what: name, nodes: [name] });
const quiet = { note: () => undefined, progress: () => undefined };

test('what is slower in 8 bits stays in float, what is faster or no slower does not', async () => {
  const { race, accept, nowMs } = machine({ conv: 4, resize: 90, pool: 10, add: 12 });
  const notes: string[] = [];
  const trials = ['conv', 'resize', 'pool', 'add'].map(one);
  const exclude = await searchLatency({
    ...quiet,
    trials,
    race,
    accept,
    nowMs,
    note: (text) => notes.push(text),
  });
  expect([...exclude]).toEqual(['resize', 'add']);
  expect(notes).toHaveLength(2);
  expect(notes[0]).toMatch(/^latency: resize left in float \(1 nodes\): 0\.310 /);
});

test('a change that wins no more than half of the pairs is not taken, however often it is looked at', async () => {
  const { race, accept, nowMs, raced } = machine({ a: 10 }, (pair) => (pair % 2 === 0 ? 0.8 : 1.25));
  expect([...(await searchLatency({ ...quiet, trials: [one('a')], race, accept, nowMs }))]).toEqual([]);
  expect(raced[0]).toBeLessThanOrEqual(120);
});

test('a gain below one in a hundred is left alone', async () => {
  const { race, accept, nowMs } = machine({ a: 10.05, rest: 10 });
  expect([...(await searchLatency({ ...quiet, trials: [one('a')], race, accept, nowMs }))]).toEqual([]);
});

test('a trial whose nodes are in float already is not raced again', async () => {
  const { race, accept, nowMs, raced } = machine({ a: 30, b: 30 });
  const trials = [{ what: 'both', nodes: ['a', 'b'] }, one('a')];
  await searchLatency({ ...quiet, trials, race, accept, nowMs });
  expect(raced).toHaveLength(1);
});

test('trials are bounded in number and in time, and that is said', async () => {
  const names = Array.from({ length: 50 }, (_, index) => `n${index}`);
  const fast = machine(Object.fromEntries(names.map((name) => [name, 0.1])));
  await searchLatency({ ...quiet, ...fast, trials: names.map(one) });
  expect(fast.raced).toHaveLength(20);
  const slow = machine({ ...Object.fromEntries(names.map((name) => [name, 9])), rest: 5000 });
  const notes: string[] = [];
  await searchLatency({ ...quiet, ...slow, trials: names.map(one), note: (text) => notes.push(text) });
  expect(slow.raced.length).toBeLessThan(5);
  expect(notes).toEqual([`latency: stopped after ${slow.raced.length} trials, its time was up`]);
});
