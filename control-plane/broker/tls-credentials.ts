// One side's certificate and key, and the authority the other side must be certified by.

import { constants } from 'node:crypto';

export interface TlsCredentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly caPem: string;
}

/** Options of a node:tls server: TLS 1.3 or nothing, and no resumed session, which would skip the certificate. */
export function serverCredentials({ certificatePem, privateKeyPem, caPem }: TlsCredentials) {
  return {
    cert: certificatePem,
    key: privateKeyPem,
    ca: caPem,
    minVersion: 'TLSv1.3' as const,
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
