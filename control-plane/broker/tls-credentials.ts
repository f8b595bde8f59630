// One side's certificate and key, and the authorities the other side must be certified by.

import { constants } from 'node:crypto';

export interface TlsCredentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** One certificate or, while the authority is being replaced, several. */
  readonly caPem: string;
  /** Lists of revoked certificates, for `revokedSerials`. */
  readonly crlPem?: string;
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
