import { describe, expect, it } from 'vitest';
import { decide, frontInWords, type TimedTrial } from '#control-plane/registry/decide.ts';
import { standsIn } from '#control-plane/registry/machine.ts';
import type { MadeTrial } from '#control-plane/registry/trial-store.ts';
import type { CompressionRecipe, DeviceTiming } from '#protocol/compression.ts';
import { profileSchema } from '#protocol/profile.ts';

const FP16: CompressionRecipe = { kind: 'fp16' };
const ORIGINAL: CompressionRecipe = { kind: 'original' };

const profile = profileSchema.parse({
  schema: 'holdfast.profile/v1',
  name: 'x86-cuda',
  description: 'for tests',
  architecture: 'x64',
  executionProviders: ['cpu'],
  memoryBytes: 1e9,
  budgets: { p95LatencyMs: 10, weightsBytes: 1_000, memoryBytes: 1e9 },
  compression: { candidates: [FP16, ORIGINAL], maxAccuracyLoss: 0.01 },
  compressedTolerance: { maxRangeShare: 0.1, minTop1Agreement: 0.9 },
});

/** A trial whose latency is a share of the original's 2 ms on this machine. */
function trial(recipe: CompressionRecipe, ratio: number, accuracyChange = 0): MadeTrial {
  const isOriginal = recipe.kind === 'original';
  const latencyRatio = { median: ratio, low: ratio, high: ratio, pairs: 1 };
  return {
    recipe,
    precision: isOriginal ? 'original' : 'fp16',
    weights: { sha256: 'a'.repeat(64), sizeBytes: isOriginal ? 400 : 200 },
    accuracy: 0.98 + accuracyChange,
    p95Ms: 2 * ratio,
    memoryBytes: 1_000,
    report: null,
    comparison: isOriginal ? null : { accuracyChange, perClassChange: [], latencyRatio, disagreements: [] },
    evaluation: null,
  };
}

const device = (p50Ms: number, p95Ms = p50Ms): DeviceTiming => ({
  deviceId: 'edge-1',
  runs: 50,
  p50Ms,
  p95Ms,
  memoryBytes: 500,
});

const verdicts = (timed: readonly TimedTrial[], machineStandsIn: boolean): string[] =>
  decide(profile, timed, machineStandsIn).map(({ verdict }) => verdict);

describe('latencies that count', () => {
  const slowHere = trial(FP16, 3);

  it("are this machine's where it stands in for the profile", () => {
    const timed = [
      { trial: slowHere, device: null },
      { trial: trial(ORIGINAL, 1), device: null },
    ];
    expect(verdicts(timed, true)).toEqual(['front', 'proposed']);
  });

  it('are nobody’s where it does not, and then order decides', () => {
    const timed = [
      { trial: slowHere, device: null },
      { trial: trial(ORIGINAL, 1), device: null },
    ];
    expect(verdicts(timed, false)).toEqual(['proposed', 'dominated']);
  });

  it("are a device's before all, also against its budgets", () => {
    const timed = [
      { trial: slowHere, device: device(1) },
      { trial: trial(ORIGINAL, 1), device: device(2, 11) },
    ];
    expect(verdicts(timed, true)).toEqual(['proposed', 'over-budget']);
  });

  it("are a device's alone where this machine says nothing, and no gain where it says the contrary", () => {
    const timed = [
      { trial: trial(FP16, 0.7), device: device(4) },
      { trial: trial(ORIGINAL, 1), device: device(1) },
    ];
    expect(verdicts(timed, false)[1]).toBe('proposed');
    expect(verdicts(timed, true)[0]).toBe('proposed');
  });

  it('of a device are no gain where slow runs of the one are as slow as the other', () => {
    const timed = [
      { trial: trial(FP16, 1), device: device(2) },
      { trial: trial(ORIGINAL, 1), device: device(1, 3) },
    ];
    expect(verdicts(timed, false)[0]).toBe('proposed');
  });

  it("are not mixed: a device's counts only where every candidate was timed on one", () => {
    const timed = [
      { trial: slowHere, device: device(1) },
      { trial: trial(ORIGINAL, 1), device: null },
    ];
    expect(verdicts(timed, true)).toEqual(['front', 'proposed']);
  });
});

it('a loss over the budget leaves the original', () => {
  const timed = [
    { trial: trial(FP16, 0.5, -0.02), device: null },
    { trial: trial(ORIGINAL, 1), device: null },
  ];
  expect(verdicts(timed, true)).toEqual(['over-budget', 'proposed']);
});

it('a candidate that failed is kept in its place with its reason', () => {
  const failed = { recipe: FP16, precision: 'fp16', failure: 'compression-failed: no' } as const;
  const [first, second] = decide(
    profile,
    [
      { trial: failed, device: null },
      { trial: trial(ORIGINAL, 1), device: null },
    ],
    true,
  );
  expect(first).toMatchObject({ verdict: 'failed', why: 'compression-failed: no', weights: null });
  expect(second).toMatchObject({ verdict: 'proposed', why: 'no other is within the budgets' });
});

it('the front tells what each candidate on it is and costs, and why it may not be had', () => {
  const tight = { ...profile, budgets: { ...profile.budgets, weightsBytes: 100 } };
  const candidates = decide(
    tight,
    [
      { trial: trial(FP16, 0.5), device: null },
      { trial: trial(ORIGINAL, 1), device: null },
    ],
    true,
  );
  expect(frontInWords(candidates)).toBe(
    'fp16 (98.00 % right, p95 1.00 ms, 200 B, 1.0 kB of memory): 200 B of weights, 100 B are allowed',
  );
});

describe('this machine stands in', () => {
  const machine = { architecture: 'x64', vnni: false };
  it.each([
    ['for a processor of its kind', {}, true],
    ['for any architecture', { architecture: 'any' }, true],
    ['not for another architecture', { architecture: 'arm64' }, false],
    ['not for a GPU', { executionProviders: ['cuda'] }, false],
    ['for a processor that lacks VNNI too', { vnni: false }, true],
    ['not for one that has it', { vnni: true }, false],
  ])('%s', (_what, rest, expected) => {
    expect(standsIn(machine, profileSchema.parse({ ...profile, ...rest }))).toBe(expected);
  });
});
