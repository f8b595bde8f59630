// Who really signed a metadata file: distinct public keys of a role, over the very JSON that was received.
// Stricter than tuf-js, which counts key ids: one key under two ids counts once (TUF 1.0 sections 4.4, 5.3.4),
// and a key whose material is of another type than it says counts for nothing (section 4.2).

import type { Key, Metadata, Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { RepositoryError, UnsignedMetadataError } from '@tufjs/models/dist/error.js';
import { getPublicKey } from '@tufjs/models/dist/utils/key.js';
import { z } from 'zod';

/** Seconds, UTC, as TUF 1.0 section 4.1 has it. */
const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const MATERIAL: Readonly<Record<string, string>> = {
  rsa: 'rsa',
  ed25519: 'ed25519',
  ecdsa: 'ec',
  'ecdsa-sha2-nistp256': 'ec',
  'ecdsa-sha2-nistp384': 'ec',
};

const envelopeSchema = z.looseObject({
  signatures: z.array(z.looseObject({ keyid: z.string(), sig: z.string() })).max(1024),
  signed: z.looseObject({ version: z.int().min(1), expires: z.string().regex(UTC_TIME) }),
});

type Signed = Root | Timestamp | Snapshot | Targets;

export interface Envelope {
  readonly signed: Readonly<Record<string, unknown>>;
  /** Hex signature by key id. */
  readonly signatures: ReadonlyMap<string, string>;
}

/** Throws RepositoryError for what has no usable version, expiry or signatures. */
export function readEnvelope(bytes: Buffer): Envelope {
  const json: unknown = JSON.parse(bytes.toString('utf8'));
  const checked = envelopeSchema.safeParse(json);
  if (!checked.success) throw new RepositoryError(`malformed metadata: ${z.prettifyError(checked.error)}`);
  // Not zod's copy of `signed`: what is verified is what was received.
  const { signed } = json as { signed: Record<string, unknown> };
  const signatures = new Map(checked.data.signatures.map(({ keyid, sig }) => [keyid, sig]));
  if (signatures.size < checked.data.signatures.length)
    throw new RepositoryError('two signatures of one key id');
  return { signed, signatures };
}

/** Of metadata that was read before; what it says it was signed as. */
export function envelopeOf({ signed, signatures }: Metadata<Signed>): Envelope {
  return {
    signed: signed.toJSON(),
    signatures: new Map(Object.values(signatures).map(({ keyID, sig }) => [keyID, sig])),
  };
}

/** Throws UnsignedMetadataError unless as many distinct keys as the delegator asks for signed the role. */
export function assertThreshold(delegator: Root | Targets, role: string, envelope: Envelope): void {
  const { keys, delegation } = delegationOf(delegator, role);
  const signers = new Set<string>();
  for (const keyId of delegation?.keyIDs ?? []) {
    const key = keys[keyId];
    const signer = key instanceof Object && Object.hasOwn(keys, keyId) ? signerOf(key, envelope) : null;
    if (signer !== null) signers.add(signer);
  }
  const threshold = delegation?.threshold ?? Infinity;
  if (signers.size >= threshold && Number.isSafeInteger(threshold)) return;
  throw new UnsignedMetadataError(`${role} was signed by ${signers.size}/${threshold} distinct keys`);
}

function delegationOf(delegator: Root | Targets, role: string) {
  if ('roles' in delegator) return { keys: delegator.keys, delegation: own(delegator.roles, role) };
  const { keys = {}, roles, succinctRoles } = delegator.delegations ?? {};
  if (roles !== undefined) return { keys, delegation: own(roles, role) };
  return { keys, delegation: succinctRoles?.isDelegatedRole(role) === true ? succinctRoles : undefined };
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** The public key itself (SPKI, base64) when it signed; null when it did not or cannot be used. */
function signerOf(key: Key, { signed, signatures }: Envelope): string | null {
  const sig = signatures.get(key.keyID);
  if (sig === undefined || (key.keyType === 'ed25519' && key.scheme !== 'ed25519')) return null;
  const received = {
    signatures: { [key.keyID]: { keyID: key.keyID, sig } },
    signed: { toJSON: () => signed },
  };
  try {
    const { keyType, scheme } = key;
    const { key: material } = getPublicKey({ keyType, scheme, keyVal: key.keyVal.public ?? '' });
    if (material.asymmetricKeyType !== MATERIAL[keyType]) return null;
    key.verifySignature(received as unknown as Metadata<Root>);
    return material.export({ type: 'spki', format: 'der' }).toString('base64');
  } catch {
    return null; // a key or signature that cannot be used is no signer: the threshold decides
  }
}
