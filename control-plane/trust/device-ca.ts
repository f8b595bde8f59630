// The control plane's certificate authority (ECDSA P-256), made on first start. It signs the servers' own
// certificates, services and devices. Invariant: a device certificate's CN is the device id, its OU is
// `device`; nothing else gets that OU, and no device gets the name of a service.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Extension } from '@peculiar/x509';
import { HoldfastError } from '#protocol/errors.ts';
import { deviceIdSchema } from '#protocol/identifiers.ts';
import { readCertificateRequest } from './certificate-request.ts';
import { readCredential, writeCredential } from './credential-file.ts';
import type { Credential } from './credential-file.ts';
import { makeDirectoryDurably } from './durable-files.ts';
import { P256, certificatePem, issueAuthority, issueLeaf } from './issue-certificate.ts';
import type { Authority } from './issue-certificate.ts';
import { loadX509 } from './x509.ts';
import type { X509 } from './x509.ts';

const DAY_MS = 86_400_000;
const CA_LIFE_MS = 3652 * DAY_MS;
const SERVER_LIFE_MS = 90 * DAY_MS;
const SERVICE_LIFE_MS = 90 * DAY_MS;
const DEVICE_LIFE_MS = 30 * DAY_MS;

/** Names of certificates that are not devices'; no device may have one of them as its id. */
export const SERVICE_NAMES = ['control-plane', 'gateway', 'broker', 'server'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export interface ServerNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export interface DeviceCertificate {
  readonly certificatePem: string;
  readonly serialNumber: string;
  readonly expiresAtMs: number;
}

export class DeviceCa {
  readonly #directory: string;
  readonly #authority: Authority;
  readonly #now: () => Date;

  private constructor(directory: string, authority: Authority, now: () => Date) {
    this.#directory = directory;
    this.#authority = authority;
    this.#now = now;
  }

  static async open(options: { directory: string; now: () => Date }): Promise<DeviceCa> {
    const { directory, now } = options;
    await makeDirectoryDurably(directory, 0o700);
    const x509 = await loadX509();
    const authority = await openAuthority(x509, join(directory, 'ca.pem'), now());
    return new DeviceCa(directory, authority, now);
  }

  get certificatePem(): string {
    return certificatePem(this.#authority.certificate);
  }

  /** sha256 of the CA's SubjectPublicKeyInfo as lower-case hex: what a claim token pins. */
  spkiSha256(): string {
    return createHash('sha256')
      .update(new Uint8Array(this.#authority.certificate.publicKey.rawData))
      .digest('hex');
  }

  /**
   * The TLS credential of a server of this control plane. The stored one while it has these names and a third
   * of its life left; else a new one, on disk before it is returned.
   */
  async issueServerCertificate(names: ServerNames, name: ServiceName = 'server'): Promise<Credential> {
    const { x509 } = this.#authority;
    const alternativeNames = serverNames(x509, names);
    const path = join(this.#directory, `${name}.pem`);
    const stored = await readCredential(path);
    if (stored !== null && (await this.#isStillGood(stored, alternativeNames))) return stored;
    const issued = await this.#issueService(name, ['serverAuth'], SERVER_LIFE_MS, alternativeNames);
    await writeCredential(path, issued);
    return issued;
  }

  /** A client credential for a part of the control plane itself, such as its broker connection. */
  async issueClientCertificate(name: ServiceName): Promise<Credential> {
    return await this.#issueService(name, ['clientAuth'], SERVICE_LIFE_MS);
  }

  /** A 30-day client certificate for the key of a device's request. Errors: `csr-invalid`, `bad-request`. */
  async issueDeviceCertificate(request: { deviceId: string; csrPem: string }): Promise<DeviceCertificate> {
    const { deviceId, csrPem } = request;
    const isService = SERVICE_NAMES.some((name) => name === deviceId);
    if (isService || !deviceIdSchema.safeParse(deviceId).success) {
      throw new HoldfastError('bad-request', `${deviceId} cannot be the id of a device`, {
        hint: `Use 1 to 63 of a-z, 0-9 and -, and none of ${SERVICE_NAMES.join(', ')}.`,
      });
    }
    const certificate = await issueLeaf(this.#authority, {
      subject: [{ CN: [deviceId] }, { OU: ['device'] }],
      publicKey: await readCertificateRequest(this.#authority.x509, csrPem),
      lifeMs: DEVICE_LIFE_MS,
      usages: ['clientAuth'],
      now: this.#now(),
    });
    return {
      certificatePem: certificatePem(certificate),
      serialNumber: certificate.serialNumber,
      expiresAtMs: certificate.notAfter.getTime(),
    };
  }

  async #issueService(
    name: ServiceName,
    usages: readonly ('clientAuth' | 'serverAuth')[],
    lifeMs: number,
    alternativeNames?: Extension,
  ): Promise<Credential> {
    const { x509 } = this.#authority;
    const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const certificate = await issueLeaf(this.#authority, {
      subject: [{ CN: [name] }, { OU: ['service'] }],
      publicKey: await x509.PublicKey.create(keys.publicKey),
      lifeMs,
      usages,
      now: this.#now(),
      ...(alternativeNames === undefined ? {} : { alternativeNames }),
    });
    return { privateKeyPem: await exportPrivateKey(x509, keys), certificatePem: certificatePem(certificate) };
  }

  async #isStillGood(stored: Credential, alternativeNames: Extension): Promise<boolean> {
    const { x509, certificate: ca } = this.#authority;
    const certificate = new x509.X509Certificate(stored.certificatePem);
    const lifeMs = certificate.notAfter.getTime() - certificate.notBefore.getTime();
    const leftMs = certificate.notAfter.getTime() - this.#now().getTime();
    const names = certificate.getExtension(x509.SubjectAlternativeNameExtension);
    const hasNames =
      names !== null && Buffer.from(names.rawData).equals(Buffer.from(alternativeNames.rawData));
    return (
      hasNames && leftMs > lifeMs / 3 && (await certificate.verify({ publicKey: ca, signatureOnly: true }))
    );
  }
}

async function openAuthority(x509: X509, path: string, now: Date): Promise<Authority> {
  let stored = await readCredential(path);
  if (stored === null) {
    const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const subject = [{ CN: ['Holdfast CA'] }];
    const certificate = await issueAuthority(x509, { subject, keys, lifeMs: CA_LIFE_MS, now });
    stored = {
      privateKeyPem: await exportPrivateKey(x509, keys),
      certificatePem: certificatePem(certificate),
    };
    await writeCredential(path, stored);
  }
  const pkcs8 = x509.PemConverter.decodeFirst(stored.privateKeyPem);
  return {
    x509,
    certificate: new x509.X509Certificate(stored.certificatePem),
    privateKey: await crypto.subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']),
  };
}

async function exportPrivateKey(x509: X509, keys: CryptoKeyPair): Promise<string> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`;
}

function serverNames(x509: X509, { dnsNames, ipAddresses }: ServerNames): Extension {
  const names = [
    ...[...new Set(dnsNames)].sort().map((value) => ({ type: 'dns' as const, value })),
    ...[...new Set(ipAddresses)].sort().map((value) => ({ type: 'ip' as const, value })),
  ];
  if (names.length === 0) {
    throw new HoldfastError('bad-config', 'a server certificate needs a host name or an address', {
      hint: 'Say under which names devices reach this control plane.',
    });
  }
  return new x509.SubjectAlternativeNameExtension(names);
}
