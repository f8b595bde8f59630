// The highest metadata versions a device ever trusted, and the latest time it knows to have passed: what lets
// it refuse a rollback when the files that said so are damaged. Invariant: a memory only rises while the keys
// of timestamp and snapshot stay; a key taken away starts it anew (TUF 1.0 section 5.3.11, fast-forward).

import { Metadata, MetadataKind } from '@tufjs/models';
import type { Root } from '@tufjs/models';
import { z } from 'zod';
import { assertThreshold, readEnvelope } from './tuf-threshold.ts';

const versionSchema = z.int().min(0);

/** Latest moment that a Date can be, unix ms; past it a Date is invalid and nothing would ever expire. */
const LATEST_MS = 8_640_000_000_000_000;

export const versionMemorySchema = z.strictObject({
  root: versionSchema,
  /** Key ids that root gives the two online roles, sorted. */
  keyIds: z.strictObject({ timestamp: z.array(z.string()), snapshot: z.array(z.string()) }),
  timestamp: versionSchema,
  snapshot: versionSchema,
  /** Version of each targets role that the snapshot lists, by file name. */
  roles: z.record(z.string(), versionSchema),
  /** No earlier moment is now, unix ms: the latest time that a verified timestamp was issued at. */
  floorMs: z.int().min(0),
});
export type VersionMemory = z.infer<typeof versionMemorySchema>;

/** The versions in a set of metadata files; a file that the root's keys did not sign does not count. */
export function memoryOf(files: ReadonlyMap<string, Buffer>): VersionMemory {
  const root = Metadata.fromJSON(MetadataKind.Root, parse(files.get('root.json'))).signed;
  const timestampFile = signedBy(root, 'timestamp', files.get('timestamp.json'));
  const snapshotFile = signedBy(root, 'snapshot', files.get('snapshot.json'));
  const timestamp =
    timestampFile === null ? null : Metadata.fromJSON(MetadataKind.Timestamp, timestampFile).signed;
  const snapshot =
    snapshotFile === null ? null : Metadata.fromJSON(MetadataKind.Snapshot, snapshotFile).signed;
  return {
    root: root.version,
    keyIds: onlineKeyIds(root),
    timestamp: timestamp?.version ?? 0,
    snapshot: Math.max(timestamp?.snapshotMeta.version ?? 0, snapshot?.version ?? 0),
    roles: Object.fromEntries(
      Object.entries(snapshot?.meta ?? {}).map(([name, meta]) => [name, meta.version]),
    ),
    floorMs: timestamp === null ? 0 : issuedAtMs(timestamp),
  };
}

/** When a timestamp says it was issued (`signed.holdfast.issuedAtMs`), unix ms; 0 where it names no moment. */
export function issuedAtMs(signed: {
  readonly unrecognizedFields: Readonly<Record<string, unknown>>;
}): number {
  const holdfast = signed.unrecognizedFields.holdfast as { issuedAtMs?: unknown } | null | undefined;
  const issued = holdfast?.issuedAtMs;
  const isMoment = Number.isSafeInteger(issued) && Number(issued) > 0 && Number(issued) <= LATEST_MS;
  return isMoment ? Number(issued) : 0;
}

/** The floor of time that still holds under a root. */
export function floorUnder(memory: VersionMemory | null, root: Root): number {
  return memory !== null && continues(memory.keyIds, onlineKeyIds(root)) ? memory.floorMs : 0;
}

/** What either of two memories of one device knows. */
export function joinMemory(a: VersionMemory, b: VersionMemory): VersionMemory {
  const [older, newer] = a.root <= b.root ? [a, b] : [b, a];
  if (!continues(older.keyIds, newer.keyIds)) return newer;
  const names = new Set([...Object.keys(a.roles), ...Object.keys(b.roles)]);
  return {
    root: newer.root,
    keyIds: newer.keyIds,
    timestamp: Math.max(a.timestamp, b.timestamp),
    snapshot: Math.max(a.snapshot, b.snapshot),
    roles: Object.fromEntries(
      [...names].map((name) => [name, Math.max(a.roles[name] ?? 0, b.roles[name] ?? 0)]),
    ),
    floorMs: Math.max(a.floorMs, b.floorMs),
  };
}

/** The first thing that is older in `next` than remembered, in words; null when nothing is. */
export function regression(memory: VersionMemory, next: VersionMemory): string | null {
  if (next.root < memory.root) return older('root', memory.root, next.root);
  if (!continues(memory.keyIds, next.keyIds))
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

type KeyIds = VersionMemory['keyIds'];
type Json = Parameters<typeof Metadata.fromJSON>[1];

/** Whether every key that made the older metadata still counts. */
function continues(before: KeyIds, after: KeyIds): boolean {
  return (['timestamp', 'snapshot'] as const).every((role) =>
    before[role].every((keyId) => after[role].includes(keyId)),
  );
}

function onlineKeyIds(root: Root): KeyIds {
  const of = (role: 'timestamp' | 'snapshot'): string[] => [...(root.roles[role]?.keyIDs ?? [])].sort();
  return { timestamp: of('timestamp'), snapshot: of('snapshot') };
}

function signedBy(root: Root, role: 'timestamp' | 'snapshot', bytes: Buffer | undefined): Json | null {
  if (bytes === undefined) return null;
  try {
    assertThreshold(root, role, readEnvelope(bytes));
    return parse(bytes);
  } catch {
    return null; // left over from before a rotation: it says nothing any more
  }
}

function parse(bytes: Buffer | undefined): Json {
  return JSON.parse(bytes?.toString('utf8') ?? 'null') as Json;
}
