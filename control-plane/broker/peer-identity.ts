// Who holds the certificate at the other end of a TLS connection. Invariant: the device CA gives the unit
// `device` to device certificates only (trust/device-ca.ts), so a service is never taken for a device.

import type { TLSSocket } from 'node:tls';
import { deviceIdSchema } from '#protocol/identifiers.ts';

export interface PeerIdentity {
  readonly name: string;
  readonly kind: 'device' | 'service';
  /** Of the certificate, lower-case hex. */
  readonly serialNumber: string;
  readonly expiresAtMs: number;
}

/** Null without a certificate that the server's CA signed, or with one that names neither kind. */
export function peerIdentity(socket: TLSSocket): PeerIdentity | null {
  if (!socket.authorized) return null;
  const { subject, serialNumber, valid_to: validTo } = socket.getPeerCertificate();
  // A name given twice is an array.
  const { CN: name, OU: kind }: { CN?: unknown; OU?: unknown } = subject ?? {};
  if (typeof name !== 'string' || !deviceIdSchema.safeParse(name).success) return null;
  if (kind !== 'device' && kind !== 'service') return null;
  return { name, kind, serialNumber: normalSerial(serialNumber), expiresAtMs: Date.parse(validTo) };
}

/** As different libraries write one serial number: in any case, with or without leading zeros. */
export function normalSerial(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}
