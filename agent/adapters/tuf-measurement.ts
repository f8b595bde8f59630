// What the Image repository says of a target that is to be timed. Pure. Invariant: a release is refused, by its path,
// by the role that signed it and by what is signed beside it, as a measurement is refused where a release is asked for.

import { HoldfastError } from '#protocol/errors.ts';
import { sha256Schema, type BlobRef } from '#protocol/identifiers.ts';
import { isMeasureTargetPath, measureCustomSchema } from '#protocol/measurement.ts';
import { MEASUREMENTS_ROLE } from '#protocol/trust.ts';
import { MAX_MANIFEST_BYTES } from './tuf-agreement.ts';
import type { FoundTarget } from './tuf-internals.ts';

/** `found` is undefined when nobody signed the path. Errors: `tuf-mismatch`. */
export function signedMeasurement(path: string, found: FoundTarget | undefined, profile: string): BlobRef {
  if (!isMeasureTargetPath(path)) throw refused(`${path} is no measurement target`);
  if (found === undefined) throw refused(`nobody signed ${path}`);
  const { role, target: image } = found;
  if (role !== MEASUREMENTS_ROLE) throw refused(`${path} is signed by ${role ?? 'a strange role'}`);
  const custom = measureCustomSchema.safeParse(image.custom);
  if (!custom.success) throw refused(`${path} was not signed to be timed`, custom.error);
  if (custom.data.profile !== profile) {
    throw refused(`${path} was signed for profile ${custom.data.profile}, this device is ${profile}`);
  }
  const sha256 = sha256Schema.safeParse(image.hashes.sha256);
  if (!sha256.success || image.length < 1) throw refused(`${path} has no usable digest and length`);
  if (image.length > MAX_MANIFEST_BYTES) throw refused(`${path} is longer than ${MAX_MANIFEST_BYTES} bytes`);
  return { sha256: sha256.data, sizeBytes: image.length };
}

function refused(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError('tuf-mismatch', message, {
    hint: 'Nothing is run; look at what the control plane signed.',
    cause,
  });
}
