// The authorities of devices on disk: one file (0600) with the newest first, so that a change to a new one happens
// whole or not at all. Keys lie sealed when there is a passphrase. Invariant: an authority that signed something is
// never made anew; what cannot be read stops the start.

import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { readCredential } from './credential-file.ts';
import { readFileIfPresent, syncDirectory, writeFilesDurably } from './durable-files.ts';
import { isKeyFile, openKey, sealKey } from './keys/key-file.ts';

const FILE = 'authorities.json';
/** Of before there could be two: one authority, key and certificate. */
const OLD_FILE = 'ca.pem';

const fileSchema = z.strictObject({
  schema: z.literal('holdfast.device-ca/v1'),
  authorities: z
    .array(
      z.strictObject({
        certificatePem: z.string().max(20_000),
        crossPem: z.string().max(20_000).nullable(),
        /** PKCS#8 as PEM, or a sealed key file. */
        key: z.string().max(20_000),
      }),
    )
    .min(1)
    .max(2),
});

export interface StoredAuthority {
  readonly privateKey: KeyObject;
  readonly certificatePem: string;
  /** The same key certified by the authority before, for those who believe only that one. */
  readonly crossPem: string | null;
}

/** Newest first; null when there is none yet. Errors: `state-corrupt`, `bad-config`, `passphrase-wrong`. */
export async function readAuthorities(
  directory: string,
  passphrase: string | null,
): Promise<StoredAuthority[] | null> {
  const path = join(directory, FILE);
  const bytes = await readFileIfPresent(path);
  if (bytes === null) return await adoptOldFile(directory, passphrase);
  await rm(join(directory, OLD_FILE), { force: true }); // left by a crash while it was adopted
  const { authorities } = parse(path, bytes.toString('utf8'));
  const opened: StoredAuthority[] = [];
  for (const { key, ...rest } of authorities) {
    opened.push({ ...rest, privateKey: await openStored(path, key, passphrase) });
  }
  for (const authority of opened) assertFits(path, authority);
  const liesOpen = authorities.some(({ key }) => !isKeyFile(key));
  if (passphrase !== null && liesOpen) await writeAuthorities(directory, opened, passphrase);
  return opened;
}

/** Resolves once it is on disk. */
export async function writeAuthorities(
  directory: string,
  authorities: readonly StoredAuthority[],
  passphrase: string | null,
): Promise<void> {
  const stored: { certificatePem: string; crossPem: string | null; key: string }[] = [];
  for (const { privateKey, certificatePem, crossPem } of authorities) {
    const key =
      passphrase === null
        ? privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
        : await sealKey(privateKey, passphrase);
    stored.push({ certificatePem, crossPem, key });
  }
  const bytes = `${JSON.stringify({ schema: 'holdfast.device-ca/v1', authorities: stored }, null, 2)}\n`;
  await writeFilesDurably(directory, [{ name: FILE, bytes }], 0o600);
}

async function adoptOldFile(directory: string, passphrase: string | null): Promise<StoredAuthority[] | null> {
  const old = await readCredential(join(directory, OLD_FILE));
  if (old === null) return null;
  const { privateKeyPem, certificatePem } = old;
  const authorities = [{ privateKey: createPrivateKey(privateKeyPem), certificatePem, crossPem: null }];
  await writeAuthorities(directory, authorities, passphrase);
  await rm(join(directory, OLD_FILE));
  await syncDirectory(directory);
  return authorities;
}

async function openStored(path: string, key: string, passphrase: string | null): Promise<KeyObject> {
  if (isKeyFile(key)) {
    if (passphrase !== null) return await openKey(key, passphrase);
    throw new HoldfastError(
      'bad-config',
      'the key of the device authority is sealed and no passphrase was given',
      {
        hint: 'Set HOLDFAST_TRUST_PASSPHRASE_FILE to a file that holds it.',
      },
    );
  }
  try {
    return createPrivateKey(key);
  } catch (cause) {
    throw corrupt(path, cause);
  }
}

function parse(path: string, text: string): z.infer<typeof fileSchema> {
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw corrupt(path, cause);
  }
}

function assertFits(path: string, { certificatePem, privateKey }: StoredAuthority): void {
  let fits: boolean;
  try {
    fits = new X509Certificate(certificatePem).checkPrivateKey(privateKey);
  } catch (cause) {
    throw corrupt(path, cause);
  }
  if (!fits) throw corrupt(path, new TypeError('a certificate is for another key'));
}

function corrupt(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('state-corrupt', `${path} does not hold the device authority`, {
    hint: 'Restore it from a backup: devices trust only that key.',
    cause,
  });
}
