// The trusted metadata of one repository as whole generations: <directory>/gen-<n>/ with a sealed record of
// its files, renamed into place when everything in it is on disk. Invariants: a generation is whole or is
// not used; a damaged one gives way to the kept one before it; the version memory is stored twice more.

import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { sha256Schema } from '#protocol/identifiers.ts';
import { makeDirectoryDurably, syncDirectory, writeAndSync, writeFileDurably } from './durable-file.ts';
import { joinMemory, versionMemorySchema } from './tuf-memory.ts';
import type { VersionMemory } from './tuf-memory.ts';

/** No metadata file is called so: theirs end with `.json`. */
const RECORD = 'generation.seal';
const MEMORY = 'memory.json';
const STAGING = 'staging';
const GENERATION = /^gen-([1-9][0-9]{0,14})$/;

const recordSchema = z.strictObject({
  /** Of the root that enrolment gave; metadata that grew from another root is not ours. */
  anchorSha256: sha256Schema,
  /** sha256 by file name. */
  files: z.record(z.string(), sha256Schema),
  memory: versionMemorySchema,
});
type GenerationRecord = z.infer<typeof recordSchema>;
const sealedSchema = z.strictObject({ sha256: sha256Schema, record: recordSchema });

export interface TrustedState {
  /** Number of the generation that the files are from; 0 when they are the anchor alone. */
  readonly generation: number;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly memory: VersionMemory | null;
  /** A newer generation exists and cannot be read. */
  readonly isDamaged: boolean;
}

export class TufGenerations {
  readonly #directory: string;
  readonly #anchor: Buffer;

  /** `anchor` is the root metadata that enrolment gave. */
  constructor(directory: string, anchor: Uint8Array) {
    this.#directory = directory;
    this.#anchor = Buffer.from(anchor);
  }

  /** The newest whole generation, and everything that any readable record remembers. */
  async load(): Promise<TrustedState> {
    const numbers = await this.#numbers();
    let memory = (await this.#readRecord(join(this.#directory, MEMORY)))?.memory ?? null;
    let found: { generation: number; files: ReadonlyMap<string, Buffer> } | null = null;
    for (const generation of numbers) {
      const path = this.#pathOf(generation);
      const record = await this.#readRecord(join(path, RECORD));
      if (record === null) continue;
      memory = memory === null ? record.memory : joinMemory(memory, record.memory);
      if (found !== null) continue;
      const files: ReadonlyMap<string, Buffer> | null = await readWhole(path, record);
      if (files !== null) found = { generation, files };
    }
    const { generation, files } = found ?? { generation: 0, files: new Map([['root.json', this.#anchor]]) };
    return { generation, files, memory, isDamaged: generation !== (numbers[0] ?? 0) };
  }

  /** A scratch directory that holds the files of a state, for tuf-js to work on; it need not last. */
  async stage(state: TrustedState): Promise<string> {
    const staging = await this.#emptyStaging();
    for (const [name, bytes] of state.files) await writeFile(join(staging, name), bytes, { mode: 0o600 });
    return staging;
  }

  /** Makes files the newest generation. Resolves once they survive a power cut. */
  async commit(
    state: TrustedState,
    files: ReadonlyMap<string, Buffer>,
    memory: VersionMemory,
  ): Promise<void> {
    const generation = Math.max(0, ...(await this.#numbers())) + 1;
    const record = seal({
      anchorSha256: sha256(this.#anchor),
      files: Object.fromEntries([...files].map(([name, bytes]) => [name, sha256(bytes)])),
      memory,
    });
    const staging = await this.#emptyStaging();
    for (const [name, bytes] of [...files, [RECORD, record] as const]) {
      await writeAndSync(join(staging, name), bytes, 0o600);
    }
    await syncDirectory(staging);
    await rename(staging, this.#pathOf(generation));
    await syncDirectory(this.#directory);
    await writeFileDurably(join(this.#directory, MEMORY), record, { mode: 0o600 });
    for (const number of await this.#numbers()) {
      if (number === generation || number === state.generation) continue;
      await rm(this.#pathOf(number), { recursive: true });
    }
  }

  async discard(): Promise<void> {
    await rm(join(this.#directory, STAGING), { recursive: true, force: true });
  }

  async #emptyStaging(): Promise<string> {
    await this.discard();
    const staging = join(this.#directory, STAGING);
    await mkdir(staging, { mode: 0o700 });
    return staging;
  }

  /** Generations on disk, newest first. */
  async #numbers(): Promise<number[]> {
    await makeDirectoryDurably(this.#directory);
    return (await readdir(this.#directory))
      .map((name) => Number(GENERATION.exec(name)?.[1] ?? 0))
      .filter((number) => number > 0)
      .sort((a, b) => b - a);
  }

  #pathOf(generation: number): string {
    return join(this.#directory, `gen-${generation}`);
  }

  /** Null for a record that is missing, torn, or of another anchor. */
  async #readRecord(path: string): Promise<GenerationRecord | null> {
    const bytes = await readIfPresent(path);
    const record = bytes === null ? null : unseal(bytes);
    return record?.anchorSha256 === sha256(this.#anchor) ? record : null;
  }
}

/** The staged files, record aside, as tuf-js left them. */
export async function readStaged(staging: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const name of await readdir(staging)) files.set(name, await readFile(join(staging, name)));
  return files;
}

async function readWhole(
  path: string,
  record: GenerationRecord,
): Promise<ReadonlyMap<string, Buffer> | null> {
  const files = new Map<string, Buffer>();
  for (const [name, digest] of Object.entries(record.files)) {
    const bytes = await readIfPresent(join(path, name));
    if (bytes === null || sha256(bytes) !== digest) return null;
    files.set(name, bytes);
  }
  return files;
}

function seal(record: GenerationRecord): string {
  return canonicalJson({ sha256: sha256(canonicalJson(record)), record });
}

function unseal(bytes: Buffer): GenerationRecord | null {
  try {
    const { sha256: digest, record } = sealedSchema.parse(JSON.parse(bytes.toString('utf8')));
    return sha256(canonicalJson(record)) === digest ? record : null;
  } catch {
    return null;
  }
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function readIfPresent(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
