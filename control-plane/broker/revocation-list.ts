// The certificates that were revoked, by serial number: from the CA's own lists, used as a deny list. A list
// that is missing, unreadable or past its date therefore never locks out a device that it does not name,
// as OpenSSL's own check would; the database (`isKnownDevice`) has the last word in any case.

import type { X509Crl } from '@peculiar/x509';
import { HoldfastError } from '#protocol/errors.ts';
import type { Logger } from '../logger.ts';
import { loadX509 } from '../trust/x509.ts';
import { normalSerial } from './peer-identity.ts';

/** OpenSSL writes `X509 CRL`, the X.509 library `CRL`. */
const PEM_BLOCK = /-----BEGIN (?:X509 )?CRL-----[^-]+-----END (?:X509 )?CRL-----/g;

/** Serial numbers on the lists of `crlPem`, one PEM block or more. Errors: `bad-config`. */
export async function revokedSerials(
  crlPem: string | undefined,
  logger: Logger,
  now: Date,
): Promise<ReadonlySet<string>> {
  const revoked = new Set<string>();
  if (crlPem === undefined || crlPem.trim() === '') return revoked;
  for (const list of await readLists(crlPem)) {
    if (list.nextUpdate !== undefined && list.nextUpdate < now) {
      logger.error('mqtt: a revocation list is past its date; what it names stays revoked', {
        issuer: list.issuer,
        nextUpdate: list.nextUpdate.toISOString(),
      });
    }
    for (const { serialNumber } of list.entries) revoked.add(normalSerial(serialNumber));
  }
  return revoked;
}

async function readLists(crlPem: string): Promise<X509Crl[]> {
  const x509 = await loadX509();
  try {
    const blocks = crlPem.match(PEM_BLOCK);
    if (blocks === null) throw new Error('no PEM block of a revocation list');
    return blocks.map((block) => new x509.X509Crl(block.replaceAll('X509 CRL', 'CRL')));
  } catch (cause) {
    throw new HoldfastError('bad-config', 'the certificate revocation list cannot be read', {
      hint: 'let the control plane write it again',
      cause,
    });
  }
}
