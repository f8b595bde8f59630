import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { benchVerdict, verdictTable } from '#test/bench/verdict.ts';

const MAIN = fileURLToPath(import.meta.resolve('#test/bench/main.ts'));
const bench = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });

describe('the verdict benchmark', () => {
  it('finds what is twice as slow fast, and hardly ever errs, in both worlds', () => {
    const cases = benchVerdict({ runs: 60, progress: () => undefined });
    for (const autocorrelation of [0, 0.95]) {
      const at = (effect: number) =>
        cases.find((c) => c.effect === effect && c.autocorrelation === autocorrelation);
      expect(at(2)?.medianPairs).toBeLessThan(40);
      expect(at(2)?.falseRate).toBe(0);
      expect(at(1)?.falseRate).toBeLessThanOrEqual(1 / 60);
      expect(at(1)?.medianPairs).toBeGreaterThanOrEqual(100);
    }
    expect(verdictTable(cases).trim().split('\n')).toHaveLength(cases.length + 2);
  });

  it('prints the same JSON every time', () => {
    const [first, second] = [
      bench('verdict', '--json', '--runs', '5'),
      bench('verdict', '--json', '--runs', '5'),
    ];
    expect(first.status).toBe(0);
    expect(second.stdout).toBe(first.stdout);
    const { cases } = JSON.parse(first.stdout) as { cases: object[] };
    expect(cases[0]).toMatchObject({
      effect: expect.any(Number) as number,
      medianPairs: expect.any(Number) as number,
      falseRate: expect.any(Number) as number,
    });
    expect(first.stderr).toContain('effect');
  });
});

describe('the benchmark command', () => {
  it('lists the benchmarks without a name', () => {
    const { status, stdout } = bench();
    expect(status).toBe(0);
    expect(stdout).toMatch(/serve .*\n.*verdict /);
  });

  it.each([
    { args: ['nonsense'] },
    { args: ['serve', 'verdict'] },
    { args: ['verdict', '--runs', 'x'] },
    { args: ['verdict', '--fast'] },
  ])('refuses $args with exit code 2', ({ args }) => {
    const { status, stderr } = bench(...args);
    expect(status).toBe(2);
    expect(stderr).not.toBe('');
  });
});
