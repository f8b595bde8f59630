import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { lockDataDir } from '#agent/adapters/data-dir-lock.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-lock-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

/** Another process that holds the lock until it is killed. */
async function holder(): Promise<ChildProcess> {
  const lock = import.meta.resolve('#agent/adapters/data-dir-lock.ts');
  const script = `const {lockDataDir} = await import(${JSON.stringify(lock)});
    await lockDataDir(${JSON.stringify(folder)}); console.log('held'); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

test('a second agent on the same folder is told who has it', async () => {
  const child = await holder();
  await expect(lockDataDir(folder)).rejects.toMatchObject({
    code: 'data-dir-locked',
    message: expect.stringContaining(`process ${child.pid}`),
    hint: expect.stringContaining('--data-dir'),
  });
});

test('the lock ends with a killed process, and nothing stale is in the way', async () => {
  const child = await holder();
  child.kill('SIGKILL');
  await once(child, 'exit');
  using _lock = await lockDataDir(folder);
  await expect(lockDataDir(folder)).rejects.toMatchObject({ code: 'data-dir-locked' });
});

test('the lock can be taken again once it was given back, in the same process too', async () => {
  const first = await lockDataDir(folder);
  first[Symbol.dispose]();
  using _second = await lockDataDir(folder);
});

test('the folder is made when it is missing, with its parents, for this user only', async () => {
  using _lock = await lockDataDir(join(folder, 'deep', 'inside'));
});

test('a folder that is a file, or cannot be written, is a wrong setting', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(lockDataDir(join(folder, 'file'))).rejects.toMatchObject({ code: 'bad-config' });
  if (process.getuid?.() === 0) return; // root may write anywhere
  await chmod(folder, 0o500);
  await expect(lockDataDir(folder)).rejects.toMatchObject({ code: 'bad-config' });
});

test('a folder below one that takes no others, as /proc on Linux, is a wrong setting', async () => {
  await expect(lockDataDir('/proc/holdfast-nothing/inside')).rejects.toMatchObject({ code: 'bad-config' });
});
