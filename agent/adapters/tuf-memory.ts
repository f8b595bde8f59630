// The highest metadata versions a device ever trusted: what lets it refuse a rollback when the files that
// said so are damaged. Invariant: a memory only rises while the keys of timestamp and snapshot are the same;
// new keys start it anew (TUF 1.0 section 5.3.11, recovery from a fast-forward attack).

import { createHash } from 'node:crypto';
import { Metadata, MetadataKind } from '@tufjs/models';
import type { Root, Snapshot, Timestamp } from '@tufjs/models';
import { z } from 'zod';

const versionSchema = z.int().min(0);

export const versionMemorySchema = z.strictObject({
  root: versionSchema,
  /** Digest of the key ids that root gives timestamp and snapshot. */
  epoch: z.string(),
  timestamp: versionSchema,
  snapshot: versionSchema,
  /** Version of each targets role that the snapshot lists, by file name. */
  roles: z.record(z.string(), versionSchema),
});
export type VersionMemory = z.infer<typeof versionMemorySchema>;

/** The versions in a set of metadata files; a file that the root's keys did not sign does not count. */
export function memoryOf(files: ReadonlyMap<string, Buffer>): VersionMemory {
  const root = Metadata.fromJSON(MetadataKind.Root, parse(files.get('root.json')));
  const timestamp = signedBy(root, 'timestamp', files.get('timestamp.json'));
  const snapshot = signedBy(root, 'snapshot', files.get('snapshot.json'));
  return {
    root: root.signed.version,
    epoch: epochOf(root.signed),
    timestamp: timestamp?.version ?? 0,
    snapshot: Math.max(timestamp?.snapshotMeta.version ?? 0, snapshot?.version ?? 0),
    roles: Object.fromEntries(
      Object.entries(snapshot?.meta ?? {}).map(([name, meta]) => [name, meta.version]),
    ),
  };
}

/** What either of two memories of one device knows. */
export function joinMemory(a: VersionMemory, b: VersionMemory): VersionMemory {
  if (a.epoch !== b.epoch) return a.root > b.root ? a : b;
  const names = new Set([...Object.keys(a.roles), ...Object.keys(b.roles)]);
  return {
    root: Math.max(a.root, b.root),
    epoch: a.epoch,
    timestamp: Math.max(a.timestamp, b.timestamp),
    snapshot: Math.max(a.snapshot, b.snapshot),
    roles: Object.fromEntries(
      [...names].map((name) => [name, Math.max(a.roles[name] ?? 0, b.roles[name] ?? 0)]),
    ),
  };
}

/** The first thing that is older in `next` than remembered, in words; null when nothing is. */
export function regression(memory: VersionMemory, next: VersionMemory): string | null {
  if (next.root < memory.root) return older('root', memory.root, next.root);
  if (next.epoch !== memory.epoch)
    return next.root > memory.root ? null : `root ${next.root} names other keys`;
  if (next.timestamp < memory.timestamp) return older('timestamp', memory.timestamp, next.timestamp);
  if (next.snapshot < memory.snapshot) return older('snapshot', memory.snapshot, next.snapshot);
  for (const [name, version] of Object.entries(memory.roles)) {
    const now = next.roles[name] ?? 0;
    if (now < version) return older(name, version, now);
  }
  return null;
}

function older(name: string, from: number, to: number): string {
  return `${name} went from version ${from} to ${to}`;
}

function signedBy(root: Metadata<Root>, role: 'timestamp', bytes: Buffer | undefined): Timestamp | null;
function signedBy(root: Metadata<Root>, role: 'snapshot', bytes: Buffer | undefined): Snapshot | null;
function signedBy(root: Metadata<Root>, role: 'timestamp' | 'snapshot', bytes: Buffer | undefined) {
  if (bytes === undefined) return null;
  const metadata =
    role === 'timestamp'
      ? Metadata.fromJSON(MetadataKind.Timestamp, parse(bytes))
      : Metadata.fromJSON(MetadataKind.Snapshot, parse(bytes));
  return isSigned(root, role, metadata) ? metadata.signed : null;
}

function isSigned(
  root: Metadata<Root>,
  role: string,
  metadata: Metadata<Timestamp> | Metadata<Snapshot>,
): boolean {
  try {
    root.verifyDelegate(role, metadata);
    return true;
  } catch {
    return false;
  }
}

function epochOf(root: Root): string {
  const keyIds = ['timestamp', 'snapshot'].map((role) => [...(root.roles[role]?.keyIDs ?? [])].sort());
  return createHash('sha256').update(JSON.stringify(keyIds)).digest('hex');
}

function parse(bytes: Buffer | undefined): Parameters<typeof Metadata.fromJSON>[1] {
  return JSON.parse(bytes?.toString('utf8') ?? 'null') as Parameters<typeof Metadata.fromJSON>[1];
}
