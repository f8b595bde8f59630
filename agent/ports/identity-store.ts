// Who this device is: its own key, which never leaves it, and what enrolment answered. Invariant: `load`
// gives a whole identity or none; the key outlives every retry, so that enrolling again is harmless.

import type { EnrolResponse } from '#protocol/api.ts';

/** What enrolment answered, and the private key that its certificate is for. */
export interface DeviceIdentity extends EnrolResponse {
  /** PKCS#8. */
  readonly privateKeyPem: string;
}

export interface IdentityStore {
  /** Null before enrolment. Errors: `state-corrupt`. */
  load(): Promise<DeviceIdentity | null>;
  /** A PEM certificate request signed with this device's key, which is made and stored first when there is none. */
  createCertificateRequest(): Promise<string>;
  /** sha256 of this device's public key, hex; there is a key. */
  keySha256(): Promise<string>;
  /** Keeps what enrolment or renewal answered. Errors: `ca-mismatch` when the certificate is not for this device's key, from that CA. */
  save(enrolment: EnrolResponse): Promise<DeviceIdentity>;
}
