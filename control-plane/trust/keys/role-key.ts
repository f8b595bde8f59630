// Signing keys of TUF roles: Ed25519, and ECDSA P-256 with SHA-256. Invariant: a key id follows from the public key
// alone, so that one key has one id wherever it is listed. Source: TUF 1.0.33, section 4.2.

import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { Key, Signature } from '@tufjs/models';
import { HoldfastError } from '#protocol/errors.ts';
import type { KeyScheme, TrustKey } from '#protocol/trust.ts';
import { signedBytes } from './signed-bytes.ts';

/** Name of Holdfast's own field of a listed key: whose it is. */
export const OWNER = 'x-holdfast-owner';

/** A private key and the public form that metadata lists. */
export class RoleKey {
  readonly publicKey: Key;
  readonly trustKey: TrustKey;
  readonly privateKey: KeyObject;

  /** Throws `key-invalid` for any other kind of key. */
  constructor(privateKey: KeyObject) {
    this.privateKey = privateKey;
    this.trustKey = trustKeyOf(createPublicKey(privateKey));
    this.publicKey = tufKey(this.trustKey);
  }

  static generate(scheme: KeyScheme = 'ed25519'): RoleKey {
    const { privateKey } =
      scheme === 'ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    return new RoleKey(privateKey);
  }

  get keyId(): string {
    return this.publicKey.keyID;
  }

  /** The signature over canonical JSON bytes, as TUF metadata carries it. */
  sign(bytes: Uint8Array): Signature {
    const hash = this.publicKey.scheme === 'ed25519' ? null : 'sha256';
    return new Signature({ keyID: this.keyId, sig: sign(hash, bytes, this.privateKey).toString('hex') });
  }
}

/** Errors: `key-invalid` for a key that is neither Ed25519 nor ECDSA P-256. */
export function trustKeyOf(publicKey: KeyObject, owner = ''): TrustKey {
  const scheme = schemeOf(publicKey);
  const text =
    scheme === 'ed25519'
      ? Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url').toString('hex')
      : publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { keyId: keyIdOf(scheme, text), scheme, public: text, owner };
}

/** As metadata lists it. Throws `key-invalid` when the id is not that of the key. */
export function tufKey({ keyId, scheme, public: text, owner }: TrustKey): Key {
  if (keyIdOf(scheme, text) !== keyId) {
    throw new HoldfastError('key-invalid', `${keyId} is not the id of the key it is given for`, {
      hint: 'give the key as `holdfast trust` wrote it',
    });
  }
  return new Key({
    keyID: keyId,
    keyType: keyTypeOf(scheme),
    scheme,
    keyVal: { public: text },
    ...(owner === '' ? {} : { unrecognizedFields: { [OWNER]: owner } }),
  });
}

/** Errors: `key-invalid` for what is no key, or one written so that it has another id than its own. */
export function assertUsableKey(key: TrustKey): void {
  const publicKey = publicKeyOf(key);
  if (publicKey !== null && trustKeyOf(publicKey).keyId === key.keyId) return;
  throw new HoldfastError('key-invalid', `${key.keyId} is not the id of a ${key.scheme} key that was given`, {
    hint: 'give the key as `holdfast trust` wrote it',
  });
}

/** Whether the key made the signature (hex) over the bytes. */
export function isSignedBy(key: TrustKey, bytes: Uint8Array, sig: string): boolean {
  const publicKey = publicKeyOf(key);
  const hash = key.scheme === 'ed25519' ? null : 'sha256';
  return publicKey !== null && verify(hash, bytes, publicKey, Buffer.from(sig, 'hex'));
}

/** Null for text that is no public key. */
function publicKeyOf({ scheme, public: text }: TrustKey): KeyObject | null {
  try {
    if (scheme !== 'ed25519') return createPublicKey(text);
    const x = Buffer.from(text, 'hex').toString('base64url');
    return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  } catch {
    return null;
  }
}

function keyIdOf(scheme: KeyScheme, text: string): string {
  const description = { keytype: keyTypeOf(scheme), scheme, keyval: { public: text } };
  return createHash('sha256').update(signedBytes(description)).digest('hex');
}

function keyTypeOf(scheme: KeyScheme): string {
  return scheme === 'ed25519' ? 'ed25519' : 'ecdsa';
}

function schemeOf(key: KeyObject): KeyScheme {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') {
    return 'ecdsa-sha2-nistp256';
  }
  throw new HoldfastError('key-invalid', `a ${key.asymmetricKeyType ?? 'secret'} key cannot sign here`, {
    hint: 'use Ed25519 or ECDSA P-256',
  });
}
