import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { makeDirectoryDurably, writeFileDurably } from '#agent/adapters/durable-file.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-durable-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

test('replaces a file as a whole, for this user only, and leaves nothing beside it', async () => {
  const path = join(folder, 'file');
  await writeFileDurably(path, 'first and longer');
  await writeFileDurably(path, 'second');
  expect(await readFile(path, 'utf8')).toBe('second');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['file']);
});

test('half a file that a killed process left is written over', async () => {
  await writeFile(join(folder, 'file.tmp'), 'half of something much longer');
  await writeFileDurably(join(folder, 'file'), 'whole');
  expect(await readFile(join(folder, 'file'), 'utf8')).toBe('whole');
});

test('a write that fails leaves the old bytes', async () => {
  const path = join(folder, 'file');
  await writeFileDurably(path, 'old');
  await mkdir(`${path}.tmp`);
  await expect(writeFileDurably(path, 'new')).rejects.toThrow();
  expect(await readFile(path, 'utf8')).toBe('old');
});

test('does not write through a link that somebody left under the temporary name', async () => {
  await writeFile(join(folder, 'elsewhere'), 'precious');
  await symlink(join(folder, 'elsewhere'), join(folder, 'file.tmp'));
  await expect(writeFileDurably(join(folder, 'file'), 'new')).rejects.toThrow();
  expect(await readFile(join(folder, 'elsewhere'), 'utf8')).toBe('precious');
});

test('makes a folder with its parents for this user only, and again without complaint', async () => {
  const path = join(folder, 'a', 'b');
  await makeDirectoryDurably(path);
  await makeDirectoryDurably(path);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});
