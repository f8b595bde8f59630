// lowdb's adapter for one value that must outlive a power cut. A file is two lines of JSON: a header with
// the sha256 of the second line, and the value. Invariant: the last whole generation and the one before it
// are on disk; a torn or unreadable file falls back to the one before.

import { createHash } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Adapter } from 'lowdb';
import { HoldfastError } from '#protocol/errors.ts';
import { renameDurably, syncDirectory, TEMPORARY_SUFFIX, writeAndSync } from './durable-file.ts';

const FILE_SCHEMA = 'holdfast.journal-file/v1';

export interface JournalFileOptions<T> {
  readonly path: string;
  /** Throws when the value is not one this agent can go on from. */
  readonly parse: (value: unknown) => T;
  /** Told when a file had to be set aside; `movedTo` is where it lies now. */
  readonly onSetAside?: (movedTo: string, why: unknown) => void;
  /** Makes the names of set-aside files differ. */
  readonly stamp: () => string;
}

export class JournalFile<T> implements Adapter<T> {
  readonly #options: JournalFileOptions<T>;
  readonly #previousPath: string;

  constructor(options: JournalFileOptions<T>) {
    this.#options = options;
    this.#previousPath = `${options.path}.previous`;
  }

  /** The newest readable generation, null when there is none yet. Throws `journal-corrupt` when files are there and none can be read. */
  async read(): Promise<T | null> {
    const generations = [this.#options.path, this.#previousPath];
    const failures: unknown[] = [];
    for (const path of generations) {
      const text = await readOrNull(path);
      if (text === null) continue;
      try {
        return this.#options.parse(unframe(text));
      } catch (cause) {
        failures.push(cause);
        await this.#setAside(path, cause);
      }
    }
    if (failures.length === 0) return null;
    throw new HoldfastError('journal-corrupt', `neither generation of ${this.#options.path} can be read`, {
      hint: 'both were set aside beside it; start the agent again to begin anew and take its order from the control plane',
      cause: failures[0],
    });
  }

  async write(value: T): Promise<void> {
    const { path } = this.#options;
    const temporary = `${path}${TEMPORARY_SUFFIX}`;
    await writeAndSync(temporary, frame(value), 0o600).catch((cause: unknown) => {
      throw isDiskFull(cause) ? diskFull(path, cause) : cause;
    });
    await rename(path, this.#previousPath).catch(ignoreMissing);
    await renameDurably(temporary, path);
  }

  async #setAside(path: string, why: unknown): Promise<void> {
    const movedTo = `${path}.corrupt-${this.#options.stamp()}`;
    await rename(path, movedTo);
    await syncDirectory(dirname(path));
    this.#options.onSetAside?.(movedTo, why);
  }
}

function frame(value: unknown): string {
  const json = JSON.stringify(value);
  return `${JSON.stringify({ schema: FILE_SCHEMA, sha256: sha256(json) })}\n${json}\n`;
}

function unframe(text: string): unknown {
  const [head = '', json = '', end, ...more] = text.split('\n');
  const header: unknown = JSON.parse(head);
  const isHeader = typeof header === 'object' && header !== null && 'schema' in header && 'sha256' in header;
  if (!isHeader || header.schema !== FILE_SCHEMA) throw new Error('not a journal file');
  if (end !== '' || more.length > 0 || header.sha256 !== sha256(json)) {
    throw new Error('its bytes do not have the digest that its header names');
  }
  return JSON.parse(json);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function readOrNull(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    ignoreMissing(error);
    return null;
  });
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function diskFull(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('disk-full', `no space left to write ${path}`, {
    hint: 'free space on the disk of the data folder; what serves goes on, and nothing else is begun until then',
    cause,
  });
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
