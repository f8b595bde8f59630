import { expect, test } from 'vitest';
import type { CompressCase, CompressResults, MadeSide } from '#test/bench/compress/compress-case.ts';
import { goalsOf, type Goal } from '#test/bench/compress/goals.ts';
import { compressMarkdown } from '#test/bench/compress-table.ts';

const MIB = 1024 ** 2;

const side = (part: Partial<MadeSide> = {}): MadeSide => ({
  made: true,
  seconds: 1,
  peakBytes: 102 * MIB,
  sizeBytes: MIB,
  score: 0.9,
  sqnrDb: 30,
  latency: { median: 1, low: 0.9, high: 1.1, pairs: 10 },
  ...part,
});
const latency = (median: number) => ({ latency: { median, low: median, high: median, pairs: 10 } });
const exact = (part: Partial<CompressCase> = {}): CompressCase => ({
  model: 'fashion',
  configuration: 'u8s8',
  ours: side(),
  theirs: side(),
  secondsRatio: 0.8,
  isIdentical: true,
  difference: null,
  ...part,
});
const results = (cases: readonly CompressCase[]): CompressResults => ({
  machine: { cpu: 'a processor', cores: 2, hasVnni: false, node: 'v24' },
  reference: { onnxruntime: '1.30.0' },
  rounds: 3,
  floorBytes: 100 * MIB,
  models: [
    {
      model: 'fashion',
      metric: 'accuracy',
      sizeBytes: 4 * MIB,
      samples: 8,
      batchBytes: MIB,
      score: 0.92,
      cases,
    },
  ],
  skipped: [{ model: 'speech', why: 'no package' }],
});
const verdicts = (cases: readonly CompressCase[]): Record<string, Goal | undefined> =>
  Object.fromEntries(
    goalsOf(results(cases)).map((found): [string, Goal] => [found.goal.split(' ')[0] ?? '', found]),
  );
const alone = (configuration: string, ours: Partial<MadeSide>): CompressCase =>
  exact({ configuration, ours: side(ours), theirs: null, secondsRatio: null, isIdentical: null });

test('goals that hold are met', () => {
  const found = verdicts([
    exact(),
    alone('mixed, what pays', { score: 0.91, ...latency(0.9) }),
    alone('prune 25 % refit', { score: 0.914 }),
    alone('prune 25 % raw', { score: 0.5 }),
  ]);
  for (const goal of ['exact', 'no', 'memory', 'fashion:', 'pruning'])
    expect(found[goal]?.verdict).toBe('met');
  expect(found['u8s8']).toMatchObject({ verdict: 'not measured' });
  expect(found['fashion:']?.detail).toBe('1.11 times as fast: mixed, what pays (91.00 % against 90.00 %)');
});

test('goals that do not hold are missed, with the number and where', () => {
  const found = verdicts([
    exact({ isIdentical: false, difference: 'node 3 is a', secondsRatio: 1.25, ours: side({ peakBytes: 120 * MIB }) }),
    alone('prune 25 % refit', { score: 0.9 }),
  ]); // prettier-ignore
  expect(found['exact']).toMatchObject({ verdict: 'missed', detail: '0 of 1; fashion, u8s8: node 3 is a' });
  expect(found['no']?.detail).toBe('0 of 1; at worst 1.25 of its time (fashion, u8s8)');
  expect(found['memory']?.detail).toBe('1 of 2; at most 20 MiB of 13 MiB (fashion, u8s8)');
  expect(found['fashion:']).toMatchObject({ verdict: 'missed' });
  expect(found['pruning']).toMatchObject({
    verdict: 'missed',
    detail: 'refit 2.00 points, raw not measured',
  });
});

test('a variant that loses more than the reference does not count as the best', () => {
  const found = verdicts([exact(), alone('mixed, what pays', { score: 0.89, ...latency(0.5) })]);
  expect(found['fashion:']?.verdict).toBe('missed');
});

test('what is not there is said, not left out', () => {
  const failing = exact({
    theirs: { made: false, why: 'ValueError: opset' },
    secondsRatio: null,
    isIdentical: null,
  });
  const found = verdicts([failing]);
  expect(found['exact']?.detail).toContain('in 1 more the reference fails and ours does not');
  expect(found['no']?.verdict).toBe('not measured');
  const markdown = compressMarkdown(results([failing]));
  expect(markdown).toContain('- u8s8, the reference: ValueError: opset');
  expect(markdown).toContain('- speech: no package');
});
