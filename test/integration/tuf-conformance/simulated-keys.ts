// Keys that sign simulated metadata: a real key pair and how metadata names its public half.

import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export interface KeyJson {
  readonly keytype: string;
  readonly scheme: string;
  readonly keyval: { readonly public: string };
}

export interface SimulatedKey {
  readonly id: string;
  readonly json: KeyJson;
  /** Hex. */
  readonly sign: (bytes: Buffer) => string;
}

/** Ed25519, named by its raw public half. */
export function ed25519Key(): SimulatedKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
  return {
    id: `key-${raw.slice(0, 16)}`,
    json: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } },
    sign: (bytes) => sign(null, bytes, privateKey).toString('hex'),
  };
}

export function ecdsaKey(): SimulatedKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return pemKey('ecdsa', 'ecdsa-sha2-nistp256', pair.publicKey, (bytes) =>
    sign('sha256', bytes, pair.privateKey),
  );
}

export function rsaKey(): SimulatedKey {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pss = { key: pair.privateKey, padding: 6, saltLength: 32 }; // RSA_PKCS1_PSS_PADDING
  return pemKey('rsa', 'rsassa-pss-sha256', pair.publicKey, (bytes) => sign('sha256', bytes, pss));
}

/** The same key under another id: what must not count twice. */
export function alias(key: SimulatedKey, id: string): SimulatedKey {
  return { ...key, id };
}

function pemKey(
  keytype: string,
  scheme: string,
  publicKey: KeyObject,
  signer: (bytes: Buffer) => Buffer,
): SimulatedKey {
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return {
    id: `key-${publicKey.export({ type: 'spki', format: 'der' }).subarray(-8).toString('hex')}`,
    json: { keytype, scheme, keyval: { public: pem } },
    sign: (bytes) => signer(bytes).toString('hex'),
  };
}
