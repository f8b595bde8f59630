// Who holds the certificate at the other end of a TLS connection. Invariant: the device CA gives the unit
// `device` to device certificates only (trust/device-ca.ts), so a service is never taken for a device.

import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { deviceIdSchema } from '#protocol/identifiers.ts';

export interface PeerIdentity {
  readonly name: string;
  readonly kind: 'device' | 'service';
  /** Of the certificate, lower-case hex. */
  readonly serialNumber: string;
  /** sha256 of its public key (SPKI), lower-case hex: the same for every certificate of one key. */
  readonly keySha256: string;
  readonly expiresAtMs: number;
}

/** Null without a certificate that the server's CA signed, or with one that names neither kind. */
export function peerIdentity(socket: TLSSocket): PeerIdentity | null {
  const key = socket.authorized ? socket.getPeerX509Certificate()?.publicKey : undefined;
  if (key === undefined) return null;
  const { subject, serialNumber, valid_to: validTo } = socket.getPeerCertificate();
  // A name given twice is an array.
  const { CN: name, OU: kind }: { CN?: unknown; OU?: unknown } = subject ?? {};
  if (typeof name !== 'string' || !deviceIdSchema.safeParse(name).success) return null;
  if (kind !== 'device' && kind !== 'service') return null;
  const keySha256 = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  return {
    name,
    kind,
    serialNumber: normalSerial(serialNumber),
    keySha256,
    expiresAtMs: Date.parse(validTo),
  };
}

/** As different libraries write one serial number: in any case, with or without leading zeros. */
export function normalSerial(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}
