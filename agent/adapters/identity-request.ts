// The device's certificate request (PKCS#10, ECDSA P-256 with SHA-256). The X.509 library costs 20 MB and
// is needed once a month, so it is loaded here, on use. It asks for the Reflect metadata functions and has
// nothing to read from them (no injected constructor parameters): "no metadata" is the true answer.

import { webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export async function createCertificateRequest(privateKey: KeyObject, publicKey: KeyObject): Promise<string> {
  const x509 = await loadX509();
  const keys = {
    privateKey: await importKey('pkcs8', privateKey, 'sign'),
    publicKey: await importKey('spki', publicKey, 'verify'),
  };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['holdfast-device'] }],
    keys,
    signingAlgorithm: P256,
  });
  return `${request.toString('pem')}\n`;
}

async function importKey(type: 'pkcs8' | 'spki', key: KeyObject, usage: 'sign' | 'verify') {
  const der = key.export({ type, format: 'der' } as { type: 'spki'; format: 'der' });
  return await webcrypto.subtle.importKey(type, der, P256, true, [usage]);
}

async function loadX509() {
  for (const name of ['getMetadata', 'getOwnMetadata', 'defineMetadata']) {
    if (name in Reflect) continue;
    Object.defineProperty(Reflect, name, { value: () => undefined, configurable: true, writable: true });
  }
  return await import('@peculiar/x509');
}
