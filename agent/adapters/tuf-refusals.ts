// How the agent says no to what is signed and still not for it to install.

import { HoldfastError } from '#protocol/errors.ts';
import type { ErrorCode } from '#protocol/errors.ts';

export function refused(code: ErrorCode, message: string, cause?: unknown): HoldfastError {
  return new HoldfastError(code, message, {
    hint: 'Nothing is installed; look at what the control plane signed.',
    cause,
  });
}

/** What authors no longer let run. */
export function belowFloor(message: string): HoldfastError {
  return refused('tuf-below-floor', message);
}

/** The repositories, or the roles of one, do not say the same. */
export function mismatch(message: string, cause?: unknown): HoldfastError {
  return refused('tuf-mismatch', message, cause);
}

/** What `read` makes of signed words; `tuf-mismatch` when it throws. */
export function readSigned<T>(repository: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw mismatch(`what the ${repository} repository says cannot be read by this agent`, cause);
  }
}
