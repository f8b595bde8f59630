// A temporary folder for one job, removed when disposed. A process that died without disposing leaves its
// folders behind; the next `create` sweeps them. The folder's name tells whose it is.

import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { kill, pid, uptime } from 'node:process';

const PREFIX = 'holdfast-job-';
const NAME = /^holdfast-job-(\d+)-/;

export class ScratchDir implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a folder under `root`, which is made too if need be. */
  static async create(root: string): Promise<ScratchDir> {
    await mkdir(root, { recursive: true });
    await sweep(root);
    return new ScratchDir(await mkdtemp(join(root, `${PREFIX}${pid}-`)));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Removes the folders of processes that are gone. */
async function sweep(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const owner = Number(NAME.exec(name)?.[1]);
    const path = join(root, name);
    if (Number.isInteger(owner) && (await isLeftBehind(owner, path)))
      await rm(path, { recursive: true, force: true });
  }
}

async function isLeftBehind(owner: number, path: string): Promise<boolean> {
  if (owner !== pid) return !isAlive(owner);
  // In a container every control plane has the same pid: a folder older than this process is not ours.
  const info = await stat(path).catch(() => null);
  return info !== null && info.mtimeMs < Date.now() - uptime() * 1000;
}

function isAlive(processId: number): boolean {
  try {
    kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
