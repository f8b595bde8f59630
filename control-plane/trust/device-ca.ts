// The control plane's certificate authority (ECDSA P-256), made on first start and replaced with overlap. It signs the
// servers' own certificates, services and devices. Invariant: a device certificate's CN is the device id, its OU is
// `device`; nothing else gets that OU, and no device gets the name of a service.

import { join } from 'node:path';
import type { Extension } from '@peculiar/x509';
import { HoldfastError } from '#protocol/errors.ts';
import { deviceIdSchema } from '#protocol/identifiers.ts';
import { exportPrivateKey, makeAuthority, ownAuthority, spkiSha256Of } from './ca-authority.ts';
import type { OwnAuthority } from './ca-authority.ts';
import { readAuthorities, writeAuthorities } from './ca-file.ts';
import { signRevocationList } from './ca-revocation.ts';
import type { Revoked } from './ca-revocation.ts';
import { readCertificateRequest } from './certificate-request.ts';
import { readCredential, writeCredential } from './credential-file.ts';
import type { Credential } from './credential-file.ts';
import { makeDirectoryDurably } from './durable-files.ts';
import { P256, certificatePem, issueCross, issueLeaf } from './issue-certificate.ts';
import { loadX509 } from './x509.ts';
import type { X509 } from './x509.ts';

const DAY_MS = 86_400_000;
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
  /** sha256 of its public key, and of its authority's, lower-case hex. */
  readonly spkiSha256: string;
  readonly caSpkiSha256: string;
}

export interface DeviceCaOptions {
  readonly directory: string;
  /** Seals the authority's key; one that lies open is sealed at once. */
  readonly passphrase?: string | null;
  readonly now: () => Date;
}

export class DeviceCa {
  readonly #directory: string;
  readonly #passphrase: string | null;
  readonly #now: () => Date;
  /** Newest first: it signs; one before it is still believed until it is retired. */
  #authorities: readonly [OwnAuthority, OwnAuthority?];

  private constructor(options: DeviceCaOptions, authorities: readonly [OwnAuthority, OwnAuthority?]) {
    this.#directory = options.directory;
    this.#passphrase = options.passphrase ?? null;
    this.#now = options.now;
    this.#authorities = authorities;
  }

  /** Errors: `state-corrupt`, `bad-config`, `passphrase-wrong`. */
  static async open(options: DeviceCaOptions): Promise<DeviceCa> {
    const { directory, now, passphrase = null } = options;
    await makeDirectoryDurably(directory, 0o700);
    const x509 = await loadX509();
    let stored = await readAuthorities(directory, passphrase);
    if (stored === null) {
      stored = [await makeAuthority(x509, now())];
      await writeAuthorities(directory, stored, passphrase);
    }
    const [newest, older] = await Promise.all(stored.map((one) => ownAuthority(x509, one)));
    if (newest === undefined) throw new HoldfastError('internal', 'there is no device authority');
    return new DeviceCa(options, older === undefined ? [newest] : [newest, older]);
  }

  /** The newest authority's own certificate. */
  get certificatePem(): string {
    return certificatePem(this.#authorities[0].certificate);
  }

  /** Every authority to believe, newest first. */
  get bundlePem(): string {
    return this.#all.map(({ certificate }) => certificatePem(certificate)).join('');
  }

  get isKeyEncrypted(): boolean {
    return this.#passphrase !== null;
  }

  /** Newest first. */
  get authorities(): { readonly keySha256: string; readonly expiresAtMs: number }[] {
    return this.#all.map(({ spkiSha256, certificate }) => ({
      keySha256: spkiSha256,
      expiresAtMs: certificate.notAfter.getTime(),
    }));
  }

  /** sha256 of the CA's SubjectPublicKeyInfo as lower-case hex: what a claim token pins. */
  spkiSha256(): string {
    return this.#authorities[0].spkiSha256;
  }

  /**
   * Makes a new authority, which signs from now on; the one before is believed until `retire`. Certificates of servers
   * come with the new key certified by the old one. Errors: `conflict` while an older one is not retired.
   */
  async rotate(): Promise<void> {
    const [current, older] = this.#authorities;
    if (older !== undefined) {
      throw new HoldfastError('conflict', 'the device authority before the present one is still believed', {
        hint: 'Retire it first.',
      });
    }
    const { x509 } = current;
    const made = await makeAuthority(x509, this.#now());
    const cross = await issueCross(current, new x509.X509Certificate(made.certificatePem), this.#now());
    const stored = { ...made, crossPem: certificatePem(cross) };
    await writeAuthorities(this.#directory, [stored, current.stored], this.#passphrase);
    this.#authorities = [await ownAuthority(x509, stored), current];
  }

  /** Forgets the authority before the present one, and its key. Errors: `conflict` when there is none. */
  async retire(): Promise<void> {
    const [current, older] = this.#authorities;
    if (older === undefined) {
      throw new HoldfastError('conflict', 'there is one device authority, and nothing to retire', {
        hint: 'Make a new one first.',
      });
    }
    const stored = { ...current.stored, crossPem: null };
    await writeAuthorities(this.#directory, [stored], this.#passphrase);
    this.#authorities = [{ ...current, stored }];
  }

  /** One list of each authority, of what it signed itself; PEM, newest first. */
  async revocationLists(revoked: readonly (Revoked & { readonly caSpkiSha256: string })[]): Promise<string> {
    const lists = this.#all.map((authority) =>
      signRevocationList(
        authority,
        revoked.filter(({ caSpkiSha256 }) => caSpkiSha256 === authority.spkiSha256),
        this.#now(),
      ),
    );
    return (await Promise.all(lists)).join('');
  }

  /** sha256 of the public key of a device's request, lower-case hex. Errors: `csr-invalid`. */
  async keyOf(csrPem: string): Promise<string> {
    return spkiSha256Of(await readCertificateRequest(this.#authorities[0].x509, csrPem));
  }

  /**
   * The TLS credential of a server of this control plane. The stored one while it has these names and a third
   * of its life left; else a new one, on disk before it is returned.
   */
  async issueServerCertificate(names: ServerNames, name: ServiceName = 'server'): Promise<Credential> {
    const { x509 } = this.#authorities[0];
    const alternativeNames = serverNames(x509, names);
    const path = join(this.#directory, `${name}.pem`);
    const stored = await readCredential(path);
    if (stored !== null && (await this.#isStillGood(stored, alternativeNames)))
      return this.#withCross(stored);
    const issued = await this.#issueService(name, ['serverAuth'], SERVER_LIFE_MS, alternativeNames);
    await writeCredential(path, issued);
    return this.#withCross(issued);
  }

  /** A client credential for a part of the control plane itself, such as its broker connection. */
  async issueClientCertificate(name: ServiceName): Promise<Credential> {
    return this.#withCross(await this.#issueService(name, ['clientAuth'], SERVICE_LIFE_MS));
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
    const [authority] = this.#authorities;
    const publicKey = await readCertificateRequest(authority.x509, csrPem);
    const certificate = await issueLeaf(authority, {
      subject: [{ CN: [deviceId] }, { OU: ['device'] }],
      publicKey,
      lifeMs: DEVICE_LIFE_MS,
      usages: ['clientAuth'],
      now: this.#now(),
    });
    return {
      certificatePem: certificatePem(certificate),
      serialNumber: certificate.serialNumber,
      expiresAtMs: certificate.notAfter.getTime(),
      spkiSha256: spkiSha256Of(publicKey),
      caSpkiSha256: authority.spkiSha256,
    };
  }

  get #all(): OwnAuthority[] {
    return this.#authorities.filter((one) => one !== undefined);
  }

  /** For those who believe only the authority before. */
  #withCross(issued: Credential): Credential {
    const { crossPem } = this.#authorities[0].stored;
    return crossPem === null ? issued : { ...issued, certificatePem: issued.certificatePem + crossPem };
  }

  async #issueService(
    name: ServiceName,
    usages: readonly ('clientAuth' | 'serverAuth')[],
    lifeMs: number,
    alternativeNames?: Extension,
  ): Promise<Credential> {
    const { x509 } = this.#authorities[0];
    const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const certificate = await issueLeaf(this.#authorities[0], {
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
    const { x509, certificate: ca } = this.#authorities[0];
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
