// The files of one TUF repository below its root, as consistent snapshots in one directory. Invariant:
// `timestamp.json` names a snapshot and roles that lie whole beside it; it is replaced last, so a publish that was cut
// off leaves only files that nothing names, and `open` deletes those. One publish at a time: the caller sees to it.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  TUF_VERSION,
  utcSeconds,
  type RootDocument,
  type SignedDocument,
  type SignedFile,
  type SnapshotDocument,
  type TargetsDocument,
  type TimestampDocument,
} from './documents.ts';
import {
  TEMPORARY_SUFFIX,
  makeDirectoryDurably,
  readFileIfPresent,
  writeFilesDurably,
} from './durable-files.ts';
import type { RoleKey } from './keys/role-key.ts';
import type { JsonObject } from './keys/signed-bytes.ts';
import { readPublished, type Published } from './published-metadata.ts';
import { bytesToSign, fileMeta, signedFile } from './signatures.ts';

/** Versions kept behind the newest, for clients that are in the middle of a refresh. */
const KEPT_VERSIONS = 8;
const ROLE = '(?:targets|snapshot|pipeline|measurements|team-[a-z0-9-]{1,63})';
const METADATA_FILE = new RegExp(`^(?:timestamp|[1-9][0-9]{0,8}\\.(?:root|${ROLE}))\\.json$`);
const VERSIONED_FILE = new RegExp(`^([1-9][0-9]{0,8})\\.(${ROLE})\\.json(?:\\.tmp)?$`);

export interface Publication {
  /** Files to put out, by role; signed, of the next version. */
  readonly roles: ReadonlyMap<string, SignedFile<TargetsDocument>>;
  /** A new root goes out with them. */
  readonly writeRoot: (() => Promise<void>) | null;
  /** A snapshot is made also when no role changed. */
  readonly isSnapshotDue: boolean;
  readonly keys: { readonly snapshot: RoleKey; readonly timestamp: RoleKey };
}

export interface MetadataFilesOptions {
  readonly directory: string;
  /** Signed into snapshot and timestamp under the name `holdfast`. */
  readonly stamp: JsonObject;
  readonly lifetimes: { readonly snapshotMs: number; readonly timestampMs: number };
  readonly now: () => Date;
}

export class MetadataFiles {
  readonly #options: MetadataFilesOptions;
  #published: Published | null;

  private constructor(options: MetadataFilesOptions, published: Published | null) {
    this.#options = options;
    this.#published = published;
  }

  /** Makes the directory, reads what is there and mends a publish that was cut off. Errors: `state-corrupt`. */
  static async open(options: MetadataFilesOptions, roots: readonly RootDocument[]): Promise<MetadataFiles> {
    await makeDirectoryDurably(options.directory);
    const files = new MetadataFiles(options, await readPublished(options.directory, roots));
    await files.#deleteStrays();
    return files;
  }

  /** Null before the first publish. */
  get published(): Published | null {
    return this.#published;
  }

  /** Bytes of a file by its exact name; null when no metadata has that name. */
  async read(name: string): Promise<Buffer | null> {
    if (!METADATA_FILE.test(name)) return null;
    return await readFileIfPresent(join(this.#options.directory, name));
  }

  /** Puts out roles, a snapshot of all of them, the root and a timestamp, in this order. Errors: `disk-full`. */
  async publish(
    { roles, writeRoot, isSnapshotDue, keys }: Publication,
    roots: readonly RootDocument[],
  ): Promise<void> {
    const { directory } = this.#options;
    const before = this.#published;
    const snapshot =
      before !== null && roles.size === 0 && !isSnapshotDue
        ? before.snapshot
        : this.#snapshot(before, roles, keys.snapshot);
    const timestamp = this.#timestamp(before, snapshot, keys.timestamp);
    const files = [...roles].map(([role, file]) => versioned(role, file));
    if (snapshot !== before?.snapshot) files.push(versioned('snapshot', snapshot));
    await writeFilesDurably(directory, files);
    try {
      await writeRoot?.();
      await writeFilesDurably(directory, [{ name: 'timestamp.json', bytes: timestamp.bytes }]);
    } catch (error) {
      // Whether the new timestamp is in place is not known; the next publish must count on from what is.
      this.#published = (await readPublished(directory, roots)) ?? before;
      throw error;
    }
    this.#published = { roles: new Map([...(before?.roles ?? []), ...roles]), snapshot, timestamp };
    const old = files.map(({ name }) => olderName(name)).filter((name) => name !== null);
    await Promise.all(old.map((name) => rm(join(directory, name), { force: true })));
  }

  #snapshot(
    before: Published | null,
    roles: Publication['roles'],
    key: RoleKey,
  ): SignedFile<SnapshotDocument> {
    const { stamp, lifetimes } = this.#options;
    const changed = [...roles].map(([role, file]) => [`${role}.json`, fileMeta(file)] as const);
    return signWith(key, {
      _type: 'snapshot',
      ...this.#common(before?.snapshot, lifetimes.snapshotMs),
      meta: { ...before?.snapshot.signed.meta, ...Object.fromEntries(changed) },
      holdfast: stamp,
    });
  }

  #timestamp(
    before: Published | null,
    snapshot: SignedFile<SnapshotDocument>,
    key: RoleKey,
  ): SignedFile<TimestampDocument> {
    const { stamp, lifetimes, now } = this.#options;
    return signWith(key, {
      _type: 'timestamp',
      ...this.#common(before?.timestamp, lifetimes.timestampMs),
      meta: { 'snapshot.json': fileMeta(snapshot) },
      holdfast: { ...stamp, issuedAtMs: now().getTime() },
    });
  }

  #common(before: SignedFile | undefined, lifeMs: number) {
    return {
      spec_version: TUF_VERSION,
      version: (before?.signed.version ?? 0) + 1,
      expires: utcSeconds(this.#options.now().getTime() + lifeMs),
    };
  }

  /** Deletes what a killed publish left, and versions older than those kept. */
  async #deleteStrays(): Promise<void> {
    const { directory } = this.#options;
    for (const name of await readdir(directory)) {
      const [, version, role = ''] = VERSIONED_FILE.exec(name) ?? [];
      const { snapshot, roles } = this.#published ?? {};
      const current = (role === 'snapshot' ? snapshot : roles?.get(role))?.signed.version ?? 0;
      const isStray =
        version !== undefined && (Number(version) > current || Number(version) <= current - KEPT_VERSIONS);
      if (isStray || name.endsWith(TEMPORARY_SUFFIX)) await rm(join(directory, name));
    }
  }
}

/** A role's file by the key that the control plane holds. */
export function signWith<S extends SignedDocument>(key: RoleKey, signed: S): SignedFile<S> {
  return signedFile(signed, [{ keyid: key.keyId, sig: key.sign(bytesToSign(signed)).sig }]);
}

function versioned(role: string, { signed, bytes }: SignedFile): { name: string; bytes: Buffer } {
  return { name: `${signed.version}.${role}.json`, bytes };
}

function olderName(name: string): string | null {
  const [, version, role] = VERSIONED_FILE.exec(name) ?? [];
  const older = Number(version) - KEPT_VERSIONS;
  return older > 0 ? `${older}.${role}.json` : null;
}
