import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CompressResults } from '#test/bench/compress/compress-case.ts';
import type { Goal } from '#test/bench/compress/goals.ts';

const MAIN = fileURLToPath(import.meta.resolve('#test/bench/main.ts'));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-compress-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const bench = (...args: string[]) =>
  spawnSync(process.execPath, [MAIN, 'compress', ...args], {
    encoding: 'utf8',
    env: {
      ...process.env,
      HOLDFAST_PYTHON: undefined,
      TMPDIR: folder,
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(tmpdir(), 'node-compile-cache'),
    },
  });

test('the quick benchmark compresses a real model in a process of its own and judges it on real images', () => {
  const markdown = join(folder, 'results.md');
  const { status, stdout, stderr } = bench('--quick', '--json', '--markdown', markdown);
  expect(status, stderr).toBe(0);
  const { models, goals, skipped, reference, floorBytes } = JSON.parse(stdout) as CompressResults & {
    goals: Goal[];
  };
  expect({ reference, skipped }).toEqual({ reference: null, skipped: [] });
  const [digits] = models;
  expect(models).toHaveLength(1);
  expect(digits).toMatchObject({ model: 'digits', samples: 16 });
  expect(digits?.score).toBeGreaterThan(0.97);
  const { ours, theirs } = digits?.cases[0] ?? {};
  if (ours?.made !== true) throw new Error(`not made: ${ours?.why}`);
  expect(theirs).toBeNull();
  expect(ours.sizeBytes).toBeLessThan((digits?.sizeBytes ?? 0) / 2.5);
  expect(Math.abs(ours.score - (digits?.score ?? NaN))).toBeLessThan(0.03);
  expect(ours.sqnrDb).toBeGreaterThan(15);
  expect(ours.latency.median).toBeGreaterThan(0.1);
  expect(ours.peakBytes).toBeGreaterThan((floorBytes ?? NaN) / 2);
  expect(goals.find(({ goal }) => goal.includes('no slower'))).toMatchObject({ verdict: 'not measured' });
  expect(readFileSync(markdown, 'utf8')).toContain('| u8s8 |');
  expect(readdirSync(folder)).toEqual(['results.md']);
});

test('a model that there is not is refused by name', () => {
  const { status, stderr } = bench('--models', 'digits,poetry');
  expect(status).toBe(2);
  expect(stderr).toContain('text detection, text reading, speech, not poetry');
});
