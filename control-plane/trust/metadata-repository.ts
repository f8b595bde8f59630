// Targets, snapshot and timestamp of one TUF repository as consistent snapshots in one directory.
// Invariant: `timestamp.json` names a snapshot and targets that lie whole beside it; it is replaced last,
// so a publish that was cut off leaves only files that nothing names, and `open` deletes those.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  TEMPORARY_SUFFIX,
  makeDirectoryDurably,
  readFileIfPresent,
  writeFilesDurably,
} from './durable-files.ts';
import { readPublished } from './published-metadata.ts';
import type { Published } from './published-metadata.ts';
import type { RoleKeys } from './root-metadata.ts';
import { SerialQueue } from './serial-queue.ts';
import { signSnapshot, signTargets, signTimestamp } from './signed-metadata.ts';
import type { JsonObject, RoleFields, TargetsContent } from './signed-metadata.ts';

/** Versions kept behind the newest, for clients that are in the middle of a refresh. */
const KEPT_VERSIONS = 8;
const METADATA_FILE = /^(?:timestamp|[1-9][0-9]{0,8}\.(?:root|targets|snapshot))\.json$/;
const VERSIONED_FILE = /^([1-9][0-9]{0,8})\.(targets|snapshot)\.json(?:\.tmp)?$/;

export interface Lifetimes {
  readonly targetsMs: number;
  readonly snapshotMs: number;
  readonly timestampMs: number;
}

export interface MetadataRepositoryOptions {
  readonly directory: string;
  readonly keys: RoleKeys;
  readonly lifetimes: Lifetimes;
  /** Signed into every role under the name `holdfast`. */
  readonly stamp: JsonObject;
  readonly now: () => Date;
}

export class MetadataRepository {
  readonly #options: MetadataRepositoryOptions;
  readonly #queue = new SerialQueue();
  #published: Published;

  private constructor(options: MetadataRepositoryOptions, published: Published) {
    this.#options = options;
    this.#published = published;
  }

  /** Opens or makes the repository and mends a publish that was cut off. Errors: `state-corrupt`. */
  static async open(options: MetadataRepositoryOptions): Promise<MetadataRepository> {
    await makeDirectoryDurably(options.directory);
    const stored = await readPublished(options.directory, options.keys);
    const repository = new MetadataRepository(options, stored ?? nothingPublished(options.stamp));
    await repository.#deleteStrays();
    if (stored === null) await repository.#write({ targets: new Map(), extra: options.stamp }, 'targets');
    return repository;
  }

  get content(): TargetsContent {
    return this.#published.content;
  }

  /** When the first of the three roles expires, unix ms. */
  get expiresAtMs(): number {
    const { targets, snapshot, timestamp } = this.#published;
    return Math.min(targets.expiresAtMs, snapshot.expiresAtMs, timestamp.expiresAtMs);
  }

  /** Publishes what `change` makes of the present content; null or the same object publishes nothing. */
  publish(change: (content: TargetsContent) => TargetsContent | null): Promise<boolean> {
    return this.#queue.run(async () => {
      const next = change(this.#published.content);
      if (next === null || next === this.#published.content) return false;
      await this.#write(next, 'targets');
      return true;
    });
  }

  /** Signs anew each role that has less than half of its life left at `now`; true when there was one. */
  resign(now: Date): Promise<boolean> {
    return this.#queue.run(async () => {
      const due = (['targets', 'snapshot', 'timestamp'] as const).find((role) => {
        const lifeMs = this.#options.lifetimes[`${role}Ms`];
        return this.#published[role].expiresAtMs - now.getTime() < lifeMs / 2;
      });
      if (due !== undefined) await this.#write(this.#published.content, due);
      return due !== undefined;
    });
  }

  /** Bytes of a published file; null when there is none of that name. Never a timestamp that is not durable. */
  async read(name: string): Promise<Buffer | null> {
    if (!METADATA_FILE.test(name)) return null;
    await this.#queue.idle();
    return await readFileIfPresent(join(this.#options.directory, name));
  }

  /** Signs `from` and every role above it, and puts them in place: timestamp last. */
  async #write(content: TargetsContent, from: 'targets' | 'snapshot' | 'timestamp'): Promise<void> {
    const { directory, keys, lifetimes, stamp, now } = this.#options;
    const nowMs = now().getTime();
    const before = this.#published;
    const fields = (role: 'targets' | 'snapshot' | 'timestamp', extra: JsonObject): RoleFields => ({
      version: before[role].version + 1,
      expiresAtMs: nowMs + lifetimes[`${role}Ms`],
      extra,
    });
    const targets =
      from === 'targets'
        ? signTargets(content.targets, fields('targets', content.extra), keys.targets)
        : before.targets;
    const snapshot =
      from === 'timestamp'
        ? before.snapshot
        : signSnapshot(targets, fields('snapshot', stamp), keys.snapshot);
    const timestamp = signTimestamp(snapshot, fields('timestamp', stamp), keys.timestamp);
    await writeFilesDurably(directory, [
      ...(targets === before.targets
        ? []
        : [{ name: `${targets.version}.targets.json`, bytes: targets.bytes }]),
      ...(snapshot === before.snapshot
        ? []
        : [{ name: `${snapshot.version}.snapshot.json`, bytes: snapshot.bytes }]),
    ]);
    try {
      await writeFilesDurably(directory, [{ name: 'timestamp.json', bytes: timestamp.bytes }]);
      this.#published = { content, targets, snapshot, timestamp };
    } catch (error) {
      // Whether the new timestamp is in place is not known; the next publish must count on from what is.
      this.#published = (await readPublished(directory, keys)) ?? before;
      throw error;
    }
    await Promise.all([
      rm(join(directory, `${targets.version - KEPT_VERSIONS}.targets.json`), { force: true }),
      rm(join(directory, `${snapshot.version - KEPT_VERSIONS}.snapshot.json`), { force: true }),
    ]);
  }

  /** Deletes what a killed publish left, and versions older than those kept. */
  async #deleteStrays(): Promise<void> {
    const { directory } = this.#options;
    for (const name of await readdir(directory)) {
      const [, version, role] = VERSIONED_FILE.exec(name) ?? [];
      const current = role === 'targets' ? this.#published.targets.version : this.#published.snapshot.version;
      const isStray =
        version !== undefined && (Number(version) > current || Number(version) <= current - KEPT_VERSIONS);
      if (isStray || name.endsWith(TEMPORARY_SUFFIX)) await rm(join(directory, name));
    }
  }
}

function nothingPublished(stamp: JsonObject): Published {
  const none = { version: 0, expiresAtMs: 0, bytes: Buffer.alloc(0) };
  return { content: { targets: new Map(), extra: stamp }, targets: none, snapshot: none, timestamp: none };
}
