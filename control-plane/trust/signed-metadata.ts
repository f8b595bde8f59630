// Bytes of TUF 1.0 metadata from plain values. Invariant: what is signed is the canonical JSON of what is
// written, and every time in it is UTC with whole seconds (TUF section 4.2).

import { createHash } from 'node:crypto';
import { MetaFile, Metadata, Snapshot, Targets, Timestamp } from '@tufjs/models';
import type { Root } from '@tufjs/models';
import type { RoleKey } from './key-store.ts';

/** The TUF specification that the metadata follows. */
export const TUF_VERSION = '1.0.31';

export type JsonObject = ReturnType<Targets['toJSON']>;

/** One entry of targets metadata: what a device may download under a path. */
export interface TargetEntry {
  readonly length: number;
  readonly hashes: { readonly sha256: string };
  readonly custom: JsonObject;
}

export interface TargetsContent {
  readonly targets: ReadonlyMap<string, TargetEntry>;
  /** Signed beside the targets, under the name `holdfast`. */
  readonly extra: JsonObject;
}

export interface SignedFile {
  readonly version: number;
  readonly expiresAtMs: number;
  readonly bytes: Buffer;
}

export interface RoleFields {
  readonly version: number;
  readonly expiresAtMs: number;
  /** Holdfast's own signed fields, under the name `holdfast`. */
  readonly extra: JsonObject;
}

export function signTargets(
  targets: TargetsContent['targets'],
  fields: RoleFields,
  key: RoleKey,
): SignedFile {
  return signFile(new PlainTargets(targets, fields), key);
}

export function signSnapshot(targetsFile: SignedFile, fields: RoleFields, key: RoleKey): SignedFile {
  return signFile(new Snapshot({ ...common(fields), meta: { 'targets.json': metaFile(targetsFile) } }), key);
}

export function signTimestamp(snapshotFile: SignedFile, fields: RoleFields, key: RoleKey): SignedFile {
  return signFile(new Timestamp({ ...common(fields), snapshotMeta: metaFile(snapshotFile) }), key);
}

export function signFile(signed: Root | Targets | Snapshot | Timestamp, key: RoleKey): SignedFile {
  const metadata = new Metadata(signed);
  metadata.sign((bytes) => key.sign(bytes));
  const bytes = Buffer.from(JSON.stringify(metadata.toJSON()));
  return { version: signed.version, expiresAtMs: Date.parse(signed.expires), bytes };
}

export function utcSeconds(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Targets.toJSON of the library copies the whole map once an entry; this one is linear. */
class PlainTargets extends Targets {
  readonly #entries: ReadonlyMap<string, TargetEntry>;

  constructor(entries: ReadonlyMap<string, TargetEntry>, fields: RoleFields) {
    super(common(fields));
    this.#entries = entries;
  }

  override toJSON(): JsonObject {
    const targets: JsonObject = {};
    for (const [path, entry] of this.#entries) targets[path] = { ...entry };
    return { ...super.toJSON(), targets };
  }
}

function common({ version, expiresAtMs, extra }: RoleFields) {
  return {
    version,
    specVersion: TUF_VERSION,
    expires: utcSeconds(expiresAtMs),
    unrecognizedFields: { holdfast: extra },
  };
}

function metaFile({ version, bytes }: SignedFile): MetaFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return new MetaFile({ version, length: bytes.length, hashes: { sha256 } });
}
