// Reads back what a repository has published: the signed timestamp, and what it names by length and hash.
// Invariant: a state that comes out of here is whole and was signed with keys that a root of the repository names.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import {
  authorityOf,
  readSigned,
  type FileMeta,
  type RootDocument,
  type RootRole,
  type SignedFile,
  type SnapshotDocument,
  type TargetsDocument,
  type TimestampDocument,
} from './documents.ts';
import { readFileIfPresent } from './durable-files.ts';
import { bytesToSign, isEnough, rightSignatures } from './signatures.ts';

export interface Published {
  /** `targets` and every role below it that ever was in a snapshot. */
  readonly roles: ReadonlyMap<string, SignedFile<TargetsDocument>>;
  readonly snapshot: SignedFile<SnapshotDocument>;
  readonly timestamp: SignedFile<TimestampDocument>;
}

/** Null when nothing was published yet. Throws `state-corrupt` for what is torn or not ours. */
export async function readPublished(
  directory: string,
  roots: readonly RootDocument[],
): Promise<Published | null> {
  const timestampBytes = await readFileIfPresent(join(directory, 'timestamp.json'));
  if (timestampBytes === null) return null;
  try {
    const timestamp = readSigned('timestamp', timestampBytes);
    assertSigned(roots, 'timestamp', timestamp);
    const snapshotBytes = await readNamed(directory, 'snapshot', timestamp.signed.meta['snapshot.json']);
    const snapshot = readSigned('snapshot', snapshotBytes);
    assertSigned(roots, 'snapshot', snapshot);
    const roles = new Map<string, SignedFile<TargetsDocument>>();
    for (const [name, meta] of Object.entries(snapshot.signed.meta)) {
      const role = name.replace(/\.json$/, '');
      roles.set(role, readSigned('targets', await readNamed(directory, role, meta)));
    }
    if (!roles.has('targets')) throw new TypeError('the snapshot names no targets');
    return { roles, snapshot, timestamp };
  } catch (cause) {
    throw new HoldfastError('state-corrupt', `the signed metadata in ${directory} is not whole`, {
      hint: 'Restore the trust folder as a whole (keys and metadata) from its newest backup.',
      cause,
    });
  }
}

async function readNamed(
  directory: string,
  role: string,
  { version, length, hashes }: FileMeta,
): Promise<Buffer> {
  const name = `${version}.${role}.json`;
  const bytes = await readFile(join(directory, name));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (bytes.length === length && sha256 === hashes.sha256) return bytes;
  throw new TypeError(`${name} has other bytes than were signed`);
}

/** Also by keys that were replaced since: a rotation that was cut off leaves such metadata. */
function assertSigned(
  roots: readonly RootDocument[],
  role: RootRole,
  { signed, signatures }: SignedFile,
): void {
  const bytes = bytesToSign(signed);
  const isSigned = roots.some((root) => {
    const authority = authorityOf(root, role);
    return isEnough(authority, rightSignatures([authority], bytes, signatures));
  });
  if (!isSigned) throw new TypeError(`the ${role} is not signed with a key of the root`);
}
