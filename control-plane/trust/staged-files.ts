// Metadata that waits for signatures, one file a role under `staged/`. Invariant: a file is whole or not there, and
// what is read back is the next version of what is published; anything else is deleted.

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { roleNameSchema, trustSignatureSchema } from '#protocol/trust.ts';
import { parseStaged } from './documents.ts';
import { directoryExists, makeDirectoryDurably, syncDirectory, writeFilesDurably } from './durable-files.ts';
import type { Staged } from './image-plan.ts';

const fileSchema = z.strictObject({
  schema: z.literal('holdfast.staged/v1'),
  signed: z.record(z.string(), z.json()),
  signatures: z.array(trustSignatureSchema),
});
const SUFFIX = '.json';

export class StagedFiles {
  readonly #directory: string;
  #entries: ReadonlyMap<string, Staged> = new Map();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** `publishedVersion` is 0 for a role without any. Errors: `state-corrupt`. */
  static async open(repository: string, publishedVersion: (role: string) => number): Promise<StagedFiles> {
    const files = new StagedFiles(join(repository, 'staged'));
    if (!(await directoryExists(files.#directory))) return files;
    const entries = new Map<string, Staged>();
    for (const name of await readdir(files.#directory)) {
      const path = join(files.#directory, name);
      const role = name.slice(0, -SUFFIX.length);
      const entry = roleNameSchema.safeParse(role).success ? await readEntry(path, role) : null;
      if (entry?.signed.version === publishedVersion(role) + 1) entries.set(role, entry);
      else await rm(path);
    }
    files.#entries = entries;
    return files;
  }

  get entries(): ReadonlyMap<string, Staged> {
    return this.#entries;
  }

  /** Resolves once all that is new in `next` is on disk. Errors: `disk-full`. */
  async add(next: ReadonlyMap<string, Staged>): Promise<void> {
    const changed = [...next].filter(([role, entry]) => this.#entries.get(role) !== entry);
    if (changed.length === 0) return;
    await makeDirectoryDurably(this.#directory);
    const files = changed.map(([role, { signed, signatures }]) => ({
      name: role + SUFFIX,
      bytes: JSON.stringify({ schema: 'holdfast.staged/v1', signed, signatures }),
    }));
    await writeFilesDurably(this.#directory, files);
    this.#entries = new Map([...this.#entries, ...changed]);
  }

  /** Deletes what is not in `next`. */
  async keepOnly(next: ReadonlyMap<string, Staged>): Promise<void> {
    const gone = [...this.#entries.keys()].filter((role) => !next.has(role));
    if (gone.length === 0) return;
    for (const role of gone) await rm(join(this.#directory, role + SUFFIX), { force: true });
    await syncDirectory(this.#directory);
    this.#entries = new Map([...this.#entries].filter(([role]) => next.has(role)));
  }
}

async function readEntry(path: string, role: string): Promise<Staged> {
  try {
    const { signed, signatures } = fileSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    return { signed: parseStaged(role, signed), signatures };
  } catch (cause) {
    throw new HoldfastError('state-corrupt', `${path} is not whole`, {
      hint: 'Delete it to withdraw what waits there for signatures, or restore it from a backup.',
      cause,
    });
  }
}
