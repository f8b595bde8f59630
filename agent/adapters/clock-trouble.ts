// What a failed TLS connection says of this device's clock. Pure.

import { HoldfastError } from '#protocol/errors.ts';

/** OpenSSL's names for a certificate that is not good at the time of this machine. */
const CODES: ReadonlySet<unknown> = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);
const MAX_CAUSES = 8;

/** Null for a failure that has nothing to do with the time. */
export function clockTrouble(error: unknown, nowMs: number): HoldfastError | null {
  let at: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && at instanceof Error; depth++) {
    if (CODES.has((at as { code?: unknown }).code)) {
      const clock = new Date(nowMs).toISOString();
      return new HoldfastError(
        'unavailable',
        `the control plane's certificate is not valid at ${clock}, which is the time of this device`,
        {
          hint: 'set the clock of this device (NTP); if it is right, set that of the control plane',
          cause: error,
        },
      );
    }
    at = at.cause;
  }
  return null;
}
