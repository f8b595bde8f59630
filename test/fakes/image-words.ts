// What an Image repository said, as the agent has it after a refresh: made up, already verified.

import { createHash } from 'node:crypto';
import { TargetFile, Targets } from '@tufjs/models';
import type { Key } from '@tufjs/models';
import type { ImageWords } from '#agent/adapters/tuf-authorship.ts';
import type { FoundTarget } from '#agent/adapters/tuf-internals.ts';
import type { JsonObject } from '#control-plane/trust/keys/signed-bytes.ts';

const METADATA = { version: 1, specVersion: '1.0.31', expires: '2040-01-01T00:00:00Z' };

export interface SignedWord {
  readonly path: string;
  readonly role: string | null;
  readonly sha256?: string;
  readonly length?: number;
  readonly hashes?: Record<string, string>;
  readonly custom: JsonObject;
}

/** `fields` are Holdfast's own signed fields of a role; `keys` are listed for every role. */
export function imageWords(
  words: readonly SignedWord[],
  fields: Readonly<Record<string, unknown>> = {},
  keys: readonly Key[] = [],
): ImageWords {
  const roles = new Map<string, Targets>();
  const signedBy = (role: string): Targets => {
    const signed =
      roles.get(role) ??
      new Targets({ ...METADATA, unrecognizedFields: { holdfast: (fields[role] ?? {}) as JsonObject } });
    roles.set(role, signed);
    return signed;
  };
  const found = new Map<string, FoundTarget>();
  for (const { path, role, sha256 = digestOfPath(path), length = 9, hashes = { sha256 }, custom } of words) {
    const target = new TargetFile({ path, length, hashes, unrecognizedFields: { custom } });
    found.set(path, { target, role, signed: signedBy(role ?? 'targets'), keys });
  }
  return { targets: signedBy('targets'), found };
}

function digestOfPath(path: string): string {
  return createHash('sha256').update(path).digest('hex');
}
