// A certificate authority as the control plane's, that also signs what the control plane never would.

import type { JsonName } from '@peculiar/x509';
import type { TlsCredentials } from '#control-plane/broker/tls-credentials.ts';
import {
  certificatePem,
  issueAuthority,
  issueLeaf,
  P256,
  type Authority,
} from '#control-plane/trust/issue-certificate.ts';
import { loadX509 } from '#control-plane/trust/x509.ts';

const DAY_MS = 86_400_000;

export interface ClientRequest {
  readonly unit?: 'device' | 'service';
  readonly usage?: 'clientAuth' | 'serverAuth';
  /** Negative for a certificate that is past its date. */
  readonly expiresInMs?: number;
  readonly subject?: JsonName;
}

export interface IssuedTls extends TlsCredentials {
  readonly serialNumber: string;
}

export class TestAuthority {
  readonly #authority: Authority;

  private constructor(authority: Authority) {
    this.#authority = authority;
  }

  static async create(name = 'Holdfast CA'): Promise<TestAuthority> {
    const x509 = await loadX509();
    const keys = await newKeys();
    const certificate = await issueAuthority(x509, {
      subject: [{ CN: [name] }],
      keys,
      lifeMs: 10 * DAY_MS,
      now: new Date(),
    });
    return new TestAuthority({ x509, certificate, privateKey: keys.privateKey });
  }

  get caPem(): string {
    return certificatePem(this.#authority.certificate);
  }

  /** A server's for 127.0.0.1. */
  async server(): Promise<IssuedTls> {
    const subject = [{ CN: ['server'] }, { OU: ['service'] }];
    return await this.#issue(subject, 'serverAuth', DAY_MS, [{ type: 'ip', value: '127.0.0.1' }]);
  }

  async client(name: string, request: ClientRequest = {}): Promise<IssuedTls> {
    const { unit = 'device', usage = 'clientAuth', expiresInMs = DAY_MS } = request;
    const subject = request.subject ?? [{ CN: [name] }, { OU: [unit] }];
    return await this.#issue(subject, usage, expiresInMs);
  }

  /** The control plane's own client certificate. */
  async controlPlane(): Promise<IssuedTls> {
    return await this.client('control-plane', { unit: 'service' });
  }

  /** A revocation list. */
  async revocationList(serialNumbers: readonly string[], expiresInMs = DAY_MS): Promise<string> {
    const { x509, certificate, privateKey } = this.#authority;
    const nextUpdate = new Date(Date.now() + expiresInMs);
    const list = await x509.X509CrlGenerator.create({
      issuer: certificate.subject,
      thisUpdate: new Date(nextUpdate.getTime() - 2 * DAY_MS),
      nextUpdate,
      signingAlgorithm: P256,
      signingKey: privateKey,
      entries: serialNumbers.map((serialNumber) => ({ serialNumber, revocationDate: new Date() })),
    });
    return `${list.toString('pem')}\n`;
  }

  async #issue(
    subject: JsonName,
    usage: 'clientAuth' | 'serverAuth',
    expiresInMs: number,
    names: readonly { type: 'ip'; value: string }[] = [],
  ): Promise<IssuedTls> {
    const { x509 } = this.#authority;
    const keys = await newKeys();
    const lifeMs = 2 * DAY_MS;
    const certificate = await issueLeaf(this.#authority, {
      subject,
      publicKey: await x509.PublicKey.create(keys.publicKey),
      lifeMs,
      usages: [usage],
      now: new Date(Date.now() + expiresInMs - lifeMs),
      ...(names.length === 0
        ? {}
        : { alternativeNames: new x509.SubjectAlternativeNameExtension([...names]) }),
    });
    const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
    return {
      caPem: this.caPem,
      certificatePem: certificatePem(certificate),
      privateKeyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
      serialNumber: certificate.serialNumber,
    };
  }
}

async function newKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
}
