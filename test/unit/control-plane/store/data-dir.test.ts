import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDataDir } from '#control-plane/store/data-dir.ts';

let parent: string;
let path: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'holdfast-data-'));
  path = join(parent, 'deep', 'data');
});
afterEach(() => rm(parent, { recursive: true, force: true }));

it('makes a folder that nobody else may read', async () => {
  using _dir = await openDataDir(path);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

it('lets nobody else in while it is open, and says who has it', async () => {
  using _dir = await openDataDir(path);
  const second = openDataDir(path);
  await expect(second).rejects.toMatchObject({ code: 'data-dir-locked' });
  await expect(second).rejects.toThrow(`by process ${process.pid}`);
});

it('opens again once it was closed', async () => {
  (await openDataDir(path))[Symbol.dispose]();
  using again = await openDataDir(path);
  expect(again.path).toBe(path);
});

it('empties the scratch folder that a crash left full', async () => {
  const first = await openDataDir(path);
  await writeFile(join(first.scratchPath, 'left'), 'x');
  first[Symbol.dispose]();
  using again = await openDataDir(path);
  expect(await readdir(again.scratchPath)).toEqual([]);
});

it('says what to do when the path is not a folder', async () => {
  await writeFile(join(parent, 'file'), '');
  await expect(openDataDir(join(parent, 'file'))).rejects.toMatchObject({ code: 'bad-config' });
});

it('ends with a reason where an existing folder takes no others, as /proc on Linux', async () => {
  await expect(openDataDir('/proc/holdfast-nothing/inside')).rejects.toMatchObject({ code: 'bad-config' });
});
