// A private key at rest: PKCS#8 sealed by a passphrase (scrypt, AES-256-GCM) in a JSON file that shows its public
// part. Invariant: what stands beside the sealed bytes is authenticated with them, so that no field can be changed.
// Source: RFC 7914 (scrypt); NIST SP 800-38D (GCM).

import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  scrypt,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { trustKeySchema } from '#protocol/trust.ts';
import type { TrustKey } from '#protocol/trust.ts';
import { trustKeyOf } from './role-key.ts';

/** 128 MiB and about half a second a guess (OWASP password storage: N = 2^17, r = 8, p = 1). */
const COST = { n: 2 ** 17, r: 8, p: 1 } as const;
const MAX_MEMORY_BYTES = 300 * 1024 ** 2;
const MIN_PASSPHRASE_LENGTH = 8;

const base64 = (bytes: number) => z.base64().length(Math.ceil(bytes / 3) * 4);
const keyFileSchema = z.strictObject({
  schema: z.literal('holdfast.key/v1'),
  key: trustKeySchema,
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    n: z.literal([2 ** 15, 2 ** 16, 2 ** 17, 2 ** 18]),
    r: z.literal(8),
    p: z.int().min(1).max(4),
    salt: base64(32),
  }),
  cipher: z.strictObject({ name: z.literal('aes-256-gcm'), iv: base64(12), tag: base64(16) }),
  sealed: z.base64().max(4_000),
});
type KeyFile = z.infer<typeof keyFileSchema>;

/** A passphrase for many keys: those that share a salt cost one derivation together. */
export class Passphrase {
  readonly #text: string;
  readonly #derived = new Map<string, Promise<Buffer>>();
  #salt: string | null = null;

  constructor(text: string) {
    this.#text = text;
  }

  /** For a key that is sealed next. Errors: `key-invalid` for a passphrase that is too short. */
  get kdf(): KeyFile['kdf'] {
    if (this.#text.length < MIN_PASSPHRASE_LENGTH) {
      throw new HoldfastError('key-invalid', 'the passphrase is too short', {
        hint: `use ${MIN_PASSPHRASE_LENGTH} characters or more; several random words are best`,
      });
    }
    this.#salt ??= randomBytes(32).toString('base64');
    return { name: 'scrypt', ...COST, salt: this.#salt };
  }

  derive(kdf: KeyFile['kdf']): Promise<Buffer> {
    if (kdf.n === COST.n && kdf.p === COST.p) this.#salt ??= kdf.salt;
    const name = canonicalJson(kdf);
    const derived = this.#derived.get(name) ?? derive(this.#text, kdf);
    this.#derived.set(name, derived);
    return derived;
  }
}

/** The text of a key file. Errors: `key-invalid` for another kind of key, or a passphrase that is too short. */
export async function sealKey(
  privateKey: KeyObject,
  passphrase: string | Passphrase,
  owner = '',
): Promise<string> {
  const secret = typeof passphrase === 'string' ? new Passphrase(passphrase) : passphrase;
  const { kdf } = secret;
  const iv = randomBytes(12);
  const shown = {
    schema: 'holdfast.key/v1',
    key: trustKeyOf(createPublicKey(privateKey), owner),
    kdf,
  } as const;
  const cipher = createCipheriv('aes-256-gcm', await secret.derive(kdf), iv);
  cipher.setAAD(Buffer.from(canonicalJson(shown)));
  const plain = privateKey.export({ type: 'pkcs8', format: 'der' });
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]).toString('base64');
  const tag = cipher.getAuthTag().toString('base64');
  const file: KeyFile = {
    ...shown,
    cipher: { name: 'aes-256-gcm', iv: iv.toString('base64'), tag },
    sealed,
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Errors: `key-invalid` for what is no key file, `passphrase-wrong` (also for one that was changed). */
export async function openKey(text: string, passphrase: string | Passphrase): Promise<KeyObject> {
  const secret = typeof passphrase === 'string' ? new Passphrase(passphrase) : passphrase;
  const { cipher, sealed, ...shown } = parseKeyFile(text);
  const decipher = createDecipheriv(
    'aes-256-gcm',
    await secret.derive(shown.kdf),
    Buffer.from(cipher.iv, 'base64'),
    { authTagLength: 16 },
  );
  decipher.setAAD(Buffer.from(canonicalJson(shown)));
  decipher.setAuthTag(Buffer.from(cipher.tag, 'base64'));
  let plain: Buffer;
  try {
    plain = Buffer.concat([decipher.update(Buffer.from(sealed, 'base64')), decipher.final()]);
  } catch (cause) {
    throw new HoldfastError('passphrase-wrong', `the passphrase does not open key ${shown.key.keyId}`, {
      hint: 'give the passphrase that the key was made with; a file that was changed does not open either',
      cause,
    });
  }
  const privateKey = createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' });
  if (trustKeyOf(createPublicKey(privateKey)).keyId !== shown.key.keyId) throw noKeyFile();
  return privateKey;
}

/** The public part, for which no passphrase is needed. Errors: `key-invalid`. */
export function publicPartOf(text: string): TrustKey {
  return parseKeyFile(text).key;
}

export function isKeyFile(text: string): boolean {
  return keyFileSchema.safeParse(parseJson(text)).success;
}

function parseKeyFile(text: string): KeyFile {
  const parsed = keyFileSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw noKeyFile(parsed.error);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function noKeyFile(cause?: unknown): HoldfastError {
  return new HoldfastError('key-invalid', 'this is not a key file of Holdfast', {
    hint: '`holdfast trust create-key FILE` makes one',
    cause,
  });
}

function derive(passphrase: string, { n, r, p, salt }: KeyFile['kdf']): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = { N: n, r, p, maxmem: MAX_MEMORY_BYTES };
  scrypt(passphrase.normalize('NFKC'), Buffer.from(salt, 'base64'), 32, options, (error, key) => {
    if (error === null) resolve(key);
    else reject(error);
  });
  return promise;
}
