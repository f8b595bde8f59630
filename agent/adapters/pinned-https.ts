// An HTTPS client that trusts the fleet's own CA and nothing else, with the device's certificate when it
// has one. Redirects are never followed; every wait is bounded.

import { Agent, buildConnector, type Dispatcher } from 'undici';

export interface PinnedCredentials {
  readonly caPem: string;
  /** The device's own certificate and key; left out before it has one. */
  readonly certificatePem?: string;
  readonly keyPem?: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 30_000;
/** Longest silence within a body. */
const BODY_TIMEOUT_MS = 30_000;

/** `credentials` is asked at every connection, so that a renewed certificate is used. */
export function pinnedHttpsAgent(credentials: () => PinnedCredentials): Dispatcher {
  return new Agent({
    allowH2: false,
    connections: 4,
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: BODY_TIMEOUT_MS,
    connect: (options, done) => {
      const { caPem, certificatePem, keyPem } = credentials();
      const connect = buildConnector({
        allowH2: false,
        ca: caPem,
        minVersion: 'TLSv1.3',
        rejectUnauthorized: true,
        timeout: CONNECT_TIMEOUT_MS,
        maxCachedSessions: 0,
        ...(certificatePem === undefined ? {} : { cert: certificatePem, key: keyPem }),
      });
      connect(options, done);
    },
  });
}
