import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchDir } from '#control-plane/compression/child/scratch-dir.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'scratch-test-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test('a folder lives until it is disposed, with all that is in it', async () => {
  const scratch = await ScratchDir.create(join(root, 'deep'));
  writeFileSync(scratch.file('model.onnx'), 'x');
  expect(existsSync(scratch.path)).toBe(true);
  await scratch[Symbol.asyncDispose]();
  expect(readdirSync(join(root, 'deep'))).toEqual([]);
});

test('folders of processes that died are swept; those of living ones and strangers are not', async () => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  for (const name of [
    `holdfast-job-${dead}-abc`,
    `holdfast-job-${process.ppid}-abc`,
    'other',
    'holdfast-job-x-abc',
  ]) {
    mkdirSync(join(root, name));
  }
  await using scratch = await ScratchDir.create(root);
  expect(
    readdirSync(root)
      .filter((name) => join(root, name) !== scratch.path)
      .toSorted(),
  ).toEqual([`holdfast-job-${process.ppid}-abc`, 'holdfast-job-x-abc', 'other']);
});

test('a folder of an earlier process with this pid is swept, another job of this process is not', async () => {
  const old = join(root, `holdfast-job-${process.pid}-old`);
  mkdirSync(old);
  utimesSync(old, 1_000, 1_000);
  await using first = await ScratchDir.create(root);
  await using second = await ScratchDir.create(root);
  expect(existsSync(old)).toBe(false);
  expect([existsSync(first.path), existsSync(second.path)]).toEqual([true, true]);
});
