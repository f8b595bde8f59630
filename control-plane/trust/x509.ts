// The X.509 library, loaded on first use. Its dependency injection (tsyringe) refuses to load without the
// Reflect metadata functions; none of its classes has injected constructor parameters, so "no metadata" is
// the true answer and no polyfill package is needed. An installed polyfill is left as it is.

import type { webcrypto } from 'node:crypto';
import type * as x509 from '@peculiar/x509';

/** Names of the web platform that the library's types use, as Node has them. */
declare global {
  interface Algorithm extends webcrypto.Algorithm {}
  interface CryptoKey extends webcrypto.CryptoKey {}
  interface CryptoKeyPair extends webcrypto.CryptoKeyPair {}
}

export type X509 = typeof x509;

export async function loadX509(): Promise<X509> {
  for (const [name, answer] of [
    ['getMetadata', () => undefined],
    ['getOwnMetadata', () => undefined],
    ['defineMetadata', () => undefined],
  ] as const) {
    if (!(name in Reflect))
      Object.defineProperty(Reflect, name, { value: answer, configurable: true, writable: true });
  }
  return await import('@peculiar/x509');
}
