// What went wrong in a refresh, as one of the agent's codes. Everything that is not known to be harmless
// counts as metadata that its signers did not make.

import { LengthOrHashMismatchError, UnsignedMetadataError } from '@tufjs/models/dist/error.js';
import {
  BadVersionError,
  DownloadError,
  ExpiredMetadataError,
  PersistError,
  RepositoryError,
  RuntimeError,
} from 'tuf-js/dist/error.js';
import { HoldfastError } from '#protocol/errors.ts';
import type { ErrorCode } from '#protocol/errors.ts';

/** `repository` is named in the message: `image` or `director`. */
export function tufError(error: unknown, repository: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { code, what, hint } = explain(error);
  const detail = error instanceof Error ? error.message : String(error);
  return new HoldfastError(code, `${repository} repository: ${what} (${detail})`, { hint, cause: error });
}

function explain(error: unknown): { code: ErrorCode; what: string; hint: string } {
  if (error instanceof ExpiredMetadataError) {
    const hint = 'Check the clock of this device; else the control plane has stopped signing.';
    return { code: 'tuf-expired', what: 'metadata has expired', hint };
  }
  if (error instanceof BadVersionError) {
    const hint = 'The server offers older metadata than this device has seen; restore its newest state.';
    return { code: 'tuf-rollback', what: 'metadata went back', hint };
  }
  if (error instanceof DownloadError) {
    return {
      code: 'tuf-unavailable',
      what: 'metadata could not be fetched',
      hint: 'It is tried again by itself.',
    };
  }
  if (error instanceof LengthOrHashMismatchError) {
    const hint =
      'The server mixes files of different publishes; look at what stands between it and this device.';
    return { code: 'tuf-mismatch', what: 'metadata files do not belong together', hint };
  }
  if (error instanceof PersistError || error instanceof RuntimeError || isSystemError(error)) {
    const isFull = /ENOSPC|EDQUOT/.test(String(error));
    const hint = isFull ? 'Free space on this device.' : 'Look at the data folder of this device.';
    return { code: isFull ? 'disk-full' : 'internal', what: 'metadata could not be kept', hint };
  }
  const what =
    error instanceof UnsignedMetadataError || error instanceof RepositoryError
      ? 'metadata is not signed by the keys this device trusts'
      : 'metadata is not well formed';
  return { code: 'tuf-signature', what, hint: 'Do not install; find out who changed the metadata.' };
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
