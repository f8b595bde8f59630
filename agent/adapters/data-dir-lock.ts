// One agent a data folder. The lock is the kernel's own on an empty SQLite file (POSIX record lock), so it
// ends with the process however that ends, also by SIGKILL, and nothing stale can stay behind.
// Source: SQLite, "File Locking And Concurrency", EXCLUSIVE state.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '#protocol/errors.ts';
import { makeDirectoryDurably } from './durable-file.ts';

const LOCK_FILE = 'agent.lock';
/** Tells people who holds the lock; it is never asked whether the lock is held. */
const HOLDER_FILE = 'agent.pid';

/** Makes the folder where it is missing and locks it. Throws `data-dir-locked`, or `bad-config` for a folder that cannot be used. */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  let database: DatabaseSync;
  try {
    await makeDirectoryDurably(dataDir);
    database = new DatabaseSync(join(dataDir, LOCK_FILE), { timeout: 0 });
  } catch (cause) {
    throw unusable(dataDir, cause);
  }
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw unusable(dataDir, cause);
    throw new HoldfastError('data-dir-locked', `another agent${await holder(dataDir)} runs on ${dataDir}`, {
      hint: 'stop that agent, or give this one its own folder with --data-dir',
      cause,
    });
  }
  await writeFile(join(dataDir, HOLDER_FILE), `${process.pid}\n`);
  return { [Symbol.dispose]: () => database.close() };
}

async function holder(dataDir: string): Promise<string> {
  const text = await readFile(join(dataDir, HOLDER_FILE), 'utf8').catch(() => '');
  return /^\d+\s*$/.test(text) ? ` (process ${text.trim()})` : '';
}

/** SQLITE_BUSY: another connection holds the lock. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}

function unusable(dataDir: string, cause: unknown): HoldfastError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError('bad-config', `the data folder ${dataDir} cannot be used: ${message}`, {
    hint: 'name a folder that this user may write with --data-dir',
    cause,
  });
}
