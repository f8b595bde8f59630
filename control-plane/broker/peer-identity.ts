// Who holds the certificate at the other end of a TLS connection. Invariant: the device CA gives the unit
// `device` to device certificates only (trust/device-ca.ts), so a service is never taken for a device.

import type { TLSSocket } from 'node:tls';
import { deviceIdSchema } from '#protocol/identifiers.ts';

export interface PeerIdentity {
  readonly name: string;
  readonly kind: 'device' | 'service';
}

/** Null without a certificate that the server's CA signed, or with one that names neither kind. */
export function peerIdentity(socket: TLSSocket): PeerIdentity | null {
  if (!socket.authorized) return null;
  const { CN: name, OU: unit }: { CN?: unknown; OU?: unknown } = socket.getPeerCertificate().subject ?? {};
  if (typeof name !== 'string' || !deviceIdSchema.safeParse(name).success) return null;
  return unit === 'device' || unit === 'service' ? { name, kind: unit } : null;
}
