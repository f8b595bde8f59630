// Serial numbers on a revocation list, after checking that the authority signed it.

import { loadX509 } from '#control-plane/trust/x509.ts';

export async function readRevoked(crlPem: string, caPem: string): Promise<string[]> {
  const x509 = await loadX509();
  const list = new x509.X509Crl(x509.PemConverter.decodeFirst(crlPem));
  if (!(await list.verify({ publicKey: new x509.X509Certificate(caPem) })))
    throw new Error('not signed by the authority');
  return list.entries.map(({ serialNumber }) => serialNumber);
}
