// The data folder and its lock. Invariant: one control plane at a time has the folder; the operating
// system frees the lock when its process ends, however it ends, since SQLite holds it as a file lock.

import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '#protocol/errors.ts';

const LOCK_FILE = 'lock';
const PID_FILE = 'pid';
const SCRATCH = 'scratch';
/** SQLITE_BUSY, https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

export interface DataDir extends Disposable {
  readonly path: string;
  /** Empty at start; for files that nobody needs after a crash. */
  readonly scratchPath: string;
}

/** Makes and locks the folder. Errors: `data-dir-locked`, `bad-config` when it cannot be written. */
export async function openDataDir(path: string): Promise<DataDir> {
  try {
    await makeFolder(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
  const lock = await takeLock(path);
  const scratchPath = join(path, SCRATCH);
  try {
    await writeFile(join(path, PID_FILE), `${process.pid}\n`);
    await rm(scratchPath, { recursive: true, force: true });
    await mkdir(scratchPath, { mode: 0o700 });
  } catch (cause) {
    lock.close();
    throw unusable(path, cause);
  }
  return { path, scratchPath, [Symbol.dispose]: () => lock.close() };
}

/** Step by step: mkdir's own recursion never ends where a folder exists but takes no others, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path && !(await isFolder(parent))) await makeFolder(parent);
  await mkdir(path, { mode: 0o700 });
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false); // prettier-ignore
}

async function takeLock(path: string): Promise<DatabaseSync> {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(path, LOCK_FILE), { timeout: 0 });
    lock.exec('pragma journal_mode = memory; begin exclusive;');
    return lock;
  } catch (cause) {
    lock?.close();
    if ((cause as { errcode?: unknown }).errcode !== SQLITE_BUSY) throw unusable(path, cause);
    throw new HoldfastError('data-dir-locked', `the data folder ${path} is in use${await holder(path)}`, {
      hint: 'stop the other control plane, or name another folder in HOLDFAST_DATA_DIR',
      cause,
    });
  }
}

async function holder(path: string): Promise<string> {
  const pid = await readFile(join(path, PID_FILE), 'utf8').catch(() => '');
  return pid.trim() === '' ? '' : ` by process ${pid.trim()}`;
}

function unusable(path: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'bad-config',
    `the data folder ${path} cannot be used: ${(cause as Error).message}`,
    {
      hint: 'name a folder that this user may write in HOLDFAST_DATA_DIR',
      cause,
    },
  );
}
