// Ed25519 role keys as PKCS#8 files in one directory (0700, files 0600). Invariant: a key that signed
// something is never made anew; `load` fails where `ensure` would have hidden a loss.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Key, Signature } from '@tufjs/models';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { makeDirectoryDurably, readFileIfPresent, writeFilesDurably } from './durable-files.ts';

const KEY_NAME = /^[a-z][a-z0-9-]{0,62}$/;

/** A private key and the public form that root metadata lists. */
export class RoleKey {
  readonly publicKey: Key;
  readonly #privateKey: KeyObject;

  constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = tufPublicKey(createPublicKey(privateKey));
  }

  get keyId(): string {
    return this.publicKey.keyID;
  }

  /** The signature over canonical JSON bytes, as TUF metadata carries it. */
  sign(bytes: Uint8Array): Signature {
    return new Signature({ keyID: this.keyId, sig: sign(null, bytes, this.#privateKey).toString('hex') });
  }
}

export class KeyStore {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<KeyStore> {
    await makeDirectoryDurably(directory, 0o700);
    return new KeyStore(directory);
  }

  /** The key of that name, made and on disk when there was none. */
  async ensure(name: string): Promise<RoleKey> {
    const stored = await this.#read(name);
    if (stored !== null) return stored;
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFilesDurably(this.#directory, [{ name: `${name}.pem`, bytes: pem }], 0o600);
    return new RoleKey(privateKey);
  }

  /** Throws `state-corrupt` when there is no such key. */
  async load(name: string): Promise<RoleKey> {
    const stored = await this.#read(name);
    if (stored !== null) return stored;
    throw new HoldfastError('state-corrupt', `the signing key ${name} is missing`, {
      hint: `Restore ${name}.pem from a backup: devices trust only that key.`,
    });
  }

  async #read(name: string): Promise<RoleKey | null> {
    if (!KEY_NAME.test(name)) throw new HoldfastError('internal', `${name} is no key name`);
    const path = join(this.#directory, `${name}.pem`);
    const pem = await readFileIfPresent(path);
    if (pem === null) return null;
    if (((await stat(path)).mode & 0o077) !== 0) {
      throw new HoldfastError('bad-config', `others may read the signing key ${name}`, {
        hint: `chmod 600 ${path}, and rotate the key if others had access.`,
      });
    }
    try {
      return new RoleKey(createPrivateKey(pem));
    } catch (cause) {
      throw new HoldfastError('state-corrupt', `the signing key ${name} cannot be read`, {
        hint: `Restore ${name}.pem from a backup.`,
        cause,
      });
    }
  }
}

/** TUF 1.0 section 4.2: the key id is the sha256 of the key's canonical JSON. */
function tufPublicKey(publicKey: KeyObject): Key {
  if (publicKey.asymmetricKeyType !== 'ed25519')
    throw new TypeError(`not an Ed25519 key: ${publicKey.asymmetricKeyType}`);
  const { x } = publicKey.export({ format: 'jwk' });
  const description = {
    keytype: 'ed25519',
    scheme: 'ed25519',
    keyval: { public: Buffer.from(x as string, 'base64url').toString('hex') },
  };
  const keyID = createHash('sha256').update(canonicalJson(description)).digest('hex');
  return new Key({
    keyID,
    keyType: description.keytype,
    scheme: description.scheme,
    keyVal: description.keyval,
  });
}
