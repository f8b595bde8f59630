// Keys as people hand them over: key files of Holdfast, PEM (PKCS#8, also encrypted; SPKI), and public keys as JSON.

import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { open } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';
import { trustKeySchema } from '#protocol/trust.ts';
import type { TrustKey } from '#protocol/trust.ts';
import { isKeyFile, openKey, publicPartOf } from '../keys/key-file.ts';
import { tufKey, trustKeyOf } from '../keys/role-key.ts';

const MAX_BYTES = 20_000;

/** `askPassphrase` is called when the key is sealed. Errors: `key-invalid`, `passphrase-wrong`. */
export async function readPrivateKey(path: string, askPassphrase: () => Promise<string>): Promise<KeyObject> {
  const text = await readKeyText(path);
  if (isKeyFile(text)) return await openKey(text, await askPassphrase());
  if (!text.includes('ENCRYPTED')) return parsePem(path, () => createPrivateKey(text));
  const passphrase = await askPassphrase();
  try {
    return createPrivateKey({ key: text, passphrase });
  } catch (cause) {
    throw new HoldfastError('passphrase-wrong', `the passphrase does not open ${path}`, { cause });
  }
}

/** The public part of any of these. Errors: `key-invalid`. */
export async function readPublicKey(path: string, owner = ''): Promise<TrustKey> {
  const text = await readKeyText(path);
  const key = isKeyFile(text)
    ? publicPartOf(text)
    : text.trimStart().startsWith('{')
      ? publicKeyOfJson(path, text)
      : trustKeyOf(parsePem(path, () => createPublicKey(text)));
  tufKey(key);
  return owner === '' ? key : { ...key, owner };
}

/** The same; null for a PEM file whose public part is sealed too. */
export async function readPublicKeyIfOpen(path: string): Promise<TrustKey | null> {
  return (await readKeyText(path)).includes('ENCRYPTED') ? null : await readPublicKey(path);
}

async function readKeyText(path: string): Promise<string> {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  try {
    await using handle = await open(path);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    if (bytesRead <= MAX_BYTES) return buffer.toString('utf8', 0, bytesRead);
  } catch (cause) {
    throw new HoldfastError('key-invalid', `cannot read the key ${path}`, {
      hint: 'check the path and your rights on it',
      cause,
    });
  }
  throw notAKey(path);
}

function publicKeyOfJson(path: string, text: string): TrustKey {
  try {
    return trustKeySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw notAKey(path, cause);
  }
}

function parsePem(path: string, parse: () => KeyObject): KeyObject {
  try {
    return parse();
  } catch (cause) {
    throw notAKey(path, cause);
  }
}

function notAKey(path: string, cause?: unknown): HoldfastError {
  return new HoldfastError('key-invalid', `${path} holds no key`, {
    hint: 'give a key file, a PEM file, or a public key that `holdfast trust create-key --public` wrote',
    cause,
  });
}
