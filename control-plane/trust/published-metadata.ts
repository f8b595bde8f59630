// Reads back what a repository has published: the signed timestamp, and what it names by length and hash.
// Invariant: a state that comes out of here is whole and was signed with the keys at hand.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata, MetadataKind } from '@tufjs/models';
import type { MetaFile, Snapshot, Timestamp } from '@tufjs/models';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { readFileIfPresent } from './durable-files.ts';
import type { RoleKey } from './key-store.ts';
import type { RoleKeys } from './root-metadata.ts';
import type { JsonObject, SignedFile, TargetEntry, TargetsContent } from './signed-metadata.ts';

export interface Published {
  readonly content: TargetsContent;
  readonly targets: SignedFile;
  readonly snapshot: SignedFile;
  readonly timestamp: SignedFile;
}

const jsonObject = z.record(z.string(), z.json()) as z.ZodType<JsonObject>;
const targetsSchema = z.object({
  signed: z.object({
    version: z.int().min(1),
    expires: z.iso.datetime(),
    holdfast: jsonObject,
    targets: z.record(
      z.string(),
      z.object({
        length: z.int().min(0),
        hashes: z.object({ sha256: z.string() }),
        custom: jsonObject,
      }),
    ),
  }),
});

/** Null when nothing was published yet. Throws `state-corrupt` for what is torn or not ours. */
export async function readPublished(directory: string, keys: RoleKeys): Promise<Published | null> {
  const timestampBytes = await readFileIfPresent(join(directory, 'timestamp.json'));
  if (timestampBytes === null) return null;
  try {
    const timestamp = Metadata.fromJSON(MetadataKind.Timestamp, parse(timestampBytes));
    verify(timestamp, keys.timestamp);
    const { snapshotMeta } = timestamp.signed;
    const snapshotBytes = await readNamed(directory, 'snapshot', snapshotMeta);
    const snapshot = Metadata.fromJSON(MetadataKind.Snapshot, parse(snapshotBytes));
    verify(snapshot, keys.snapshot);
    const targetsMeta = snapshot.signed.meta['targets.json'];
    if (targetsMeta === undefined) throw new TypeError('the snapshot names no targets');
    const targetsBytes = await readNamed(directory, 'targets', targetsMeta);
    const { signed } = targetsSchema.parse(parse(targetsBytes));
    return {
      content: {
        targets: new Map<string, TargetEntry>(Object.entries(signed.targets)),
        extra: signed.holdfast,
      },
      targets: signedFile(signed, targetsBytes),
      snapshot: signedFile(snapshot.signed, snapshotBytes),
      timestamp: signedFile(timestamp.signed, timestampBytes),
    };
  } catch (cause) {
    throw new HoldfastError('state-corrupt', `the signed metadata in ${directory} is not whole`, {
      hint: 'Restore the trust folder as a whole (keys and metadata) from its newest backup.',
      cause,
    });
  }
}

async function readNamed(directory: string, role: string, meta: MetaFile): Promise<Buffer> {
  const bytes = await readFile(join(directory, `${meta.version}.${role}.json`));
  meta.verify(bytes);
  return bytes;
}

function verify(metadata: Metadata<Timestamp> | Metadata<Snapshot>, key: RoleKey): void {
  key.publicKey.verifySignature(metadata);
}

function parse(bytes: Buffer): JsonObject {
  return jsonObject.parse(JSON.parse(bytes.toString('utf8')));
}

function signedFile(signed: { version: number; expires: string }, bytes: Buffer): SignedFile {
  return { version: signed.version, expiresAtMs: Date.parse(signed.expires), bytes };
}
