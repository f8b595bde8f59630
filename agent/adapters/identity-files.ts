// The identity as two files: `key.pem` (0600), made before the first request and kept, and `identity.json`,
// replaced as a whole. Invariant: an identity that loads has a key and a certificate that fit together.

import {
  X509Certificate,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { enrolResponseSchema } from '#protocol/api.ts';
import type { EnrolResponse } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { DeviceIdentity, IdentityStore } from '../ports/identity-store.ts';
import { authoritiesOf } from './authorities.ts';
import { makeDirectoryDurably, writeFileDurably } from './durable-file.ts';
import { createCertificateRequest } from './identity-request.ts';

export class IdentityFiles implements IdentityStore {
  readonly #directory: string;
  readonly #keyPath: string;
  readonly #identityPath: string;

  /** `directory` is made when it is first written to. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#keyPath = join(directory, 'key.pem');
    this.#identityPath = join(directory, 'identity.json');
  }

  async load(): Promise<DeviceIdentity | null> {
    const text = await readIfPresent(this.#identityPath);
    if (text === null) return null;
    const privateKey = await this.#loadKey();
    if (privateKey === null) throw corrupt(this.#keyPath, 'is missing');
    try {
      const enrolment = enrolResponseSchema.parse(JSON.parse(text));
      assertFits(enrolment, privateKey);
      return { ...enrolment, privateKeyPem: pemOf(privateKey) };
    } catch (cause) {
      throw corrupt(this.#identityPath, 'is not the identity that was stored', cause);
    }
  }

  async createCertificateRequest(): Promise<string> {
    const privateKey = (await this.#loadKey()) ?? (await this.#makeKey());
    return await createCertificateRequest(privateKey, createPublicKey(privateKey));
  }

  async keySha256(): Promise<string> {
    const privateKey = await this.#loadKey();
    if (privateKey === null) throw corrupt(this.#keyPath, 'is missing');
    const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    return createHash('sha256').update(spki).digest('hex');
  }

  async save(enrolment: EnrolResponse): Promise<DeviceIdentity> {
    const privateKey = await this.#loadKey();
    if (privateKey === null) throw corrupt(this.#keyPath, 'is missing');
    assertFits(enrolment, privateKey);
    const stored = enrolResponseSchema.parse(enrolment);
    await writeFileDurably(this.#identityPath, JSON.stringify(stored), { mode: 0o600 });
    return { ...stored, privateKeyPem: pemOf(privateKey) };
  }

  async #loadKey(): Promise<KeyObject | null> {
    const pem = await readIfPresent(this.#keyPath);
    if (pem === null) return null;
    try {
      return createPrivateKey(pem);
    } catch (cause) {
      throw corrupt(this.#keyPath, 'is no private key', cause);
    }
  }

  async #makeKey(): Promise<KeyObject> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await makeDirectoryDurably(this.#directory);
    await writeFileDurably(this.#keyPath, pemOf(privateKey), { mode: 0o600 });
    return privateKey;
  }
}

function assertFits({ deviceId, certificatePem, caPem }: EnrolResponse, privateKey: KeyObject): void {
  const certificate = parseCertificate(certificatePem);
  if (!certificate.checkPrivateKey(privateKey)) throw mismatch('is for another key than this device has');
  const isSigned = authoritiesOf(caPem).some(
    (authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
  );
  if (!isSigned) throw mismatch('was not signed by the authority it came with');
  if (!certificate.subject.split('\n').includes(`CN=${deviceId}`))
    throw mismatch(`does not name ${deviceId}`);
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw mismatch('cannot be read', cause);
  }
}

function pemOf(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function readIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

function mismatch(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('ca-mismatch', `the device certificate ${what}`, {
    hint: 'Enrol again with a new claim.',
    cause,
  });
}

function corrupt(path: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('state-corrupt', `${path} ${what}`, {
    hint: 'Delete the identity folder and enrol again with a new claim.',
    cause,
  });
}
