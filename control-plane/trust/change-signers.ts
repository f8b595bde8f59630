// Changes to who signs a role. Pure. Invariants: a role keeps enough keys for its threshold; a key stands in it once.

import { HoldfastError } from '#protocol/errors.ts';
import type { TrustKey } from '#protocol/trust.ts';
import type { Authority } from './documents.ts';
import { assertUsableKey } from './keys/role-key.ts';

const MAX_KEYS = 20;

/** Errors: `key-invalid`, `conflict` for a key that is listed twice or a threshold above the number of keys. */
export function assertSigners(role: string, { keys, threshold }: Authority): void {
  for (const key of keys) assertUsableKey(key);
  const ids = keys.map(({ keyId }) => keyId);
  const twice = ids.find((keyId, index) => ids.indexOf(keyId) !== index);
  if (twice !== undefined) throw conflict(`${role} lists key ${twice} twice`, 'List each key once.');
  if (keys.length > MAX_KEYS) {
    throw conflict(`${role} cannot have ${keys.length} keys`, `Use ${MAX_KEYS} at most.`);
  }
  if (threshold > keys.length) {
    const has = `${keys.length} ${keys.length === 1 ? 'key' : 'keys'}`;
    throw conflict(
      `${role} has ${has}, too few for a threshold of ${threshold}`,
      'Add keys, or ask for fewer.',
    );
  }
}

export function withKey(role: string, { keys, threshold }: Authority, key: TrustKey): Authority {
  if (keys.some(({ keyId }) => keyId === key.keyId)) {
    throw conflict(`${key.keyId} is a key of ${role} already`, 'Give another key.');
  }
  const next = { keys: [...keys, key], threshold };
  assertSigners(role, next);
  return next;
}

export function withoutKey(role: string, { keys, threshold }: Authority, keyId: string): Authority {
  const rest = keys.filter((key) => key.keyId !== keyId);
  if (rest.length === keys.length) {
    throw new HoldfastError('not-found', `${keyId} is no key of ${role}`, {
      hint: '`holdfast trust status` lists the keys of each role.',
    });
  }
  if (rest.length === 0) {
    throw conflict(`${keyId} is the last key of ${role}`, 'Add the key that follows it first.');
  }
  if (rest.length < threshold) {
    const hint = 'Lower the threshold or add a key first.';
    throw conflict(`without ${keyId} ${role} has too few keys for its threshold of ${threshold}`, hint);
  }
  return { keys: rest, threshold };
}

export function withThreshold(role: string, { keys }: Authority, threshold: number): Authority {
  const next = { keys, threshold };
  assertSigners(role, next);
  return next;
}

function conflict(message: string, hint: string): HoldfastError {
  return new HoldfastError('conflict', message, { hint });
}
