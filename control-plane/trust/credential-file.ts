// A private key and its certificate in one PEM file (0600), so that the two are replaced together.

import { X509Certificate, createPrivateKey } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { readFileIfPresent, writeFilesDurably } from './durable-files.ts';

export interface Credential {
  readonly privateKeyPem: string;
  readonly certificatePem: string;
}

const BLOCK = /-----BEGIN ([A-Z ]{1,40})-----[A-Za-z0-9+/=\s]{1,20000}-----END \1-----/g;

/** Null when there is no file. Throws `state-corrupt` when key and certificate do not fit together. */
export async function readCredential(path: string): Promise<Credential | null> {
  const bytes = await readFileIfPresent(path);
  if (bytes === null) return null;
  const blocks = new Map(
    [...bytes.toString('utf8').matchAll(BLOCK)].map(([pem, label]) => [label, `${pem}\n`]),
  );
  const privateKeyPem = blocks.get('PRIVATE KEY') ?? '';
  const certificatePem = blocks.get('CERTIFICATE') ?? '';
  try {
    if (!new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem))) {
      throw new TypeError('the certificate is for another key');
    }
  } catch (cause) {
    throw new HoldfastError('state-corrupt', `${path} does not hold a key and its certificate`, {
      hint: 'Restore it from a backup.',
      cause,
    });
  }
  return { privateKeyPem, certificatePem };
}

export async function writeCredential(
  path: string,
  { privateKeyPem, certificatePem }: Credential,
): Promise<void> {
  const bytes = privateKeyPem + certificatePem;
  await writeFilesDurably(dirname(path), [{ name: basename(path), bytes }], 0o600);
}
