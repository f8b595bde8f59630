// Ties the bytes of a measurement target to its path: they must speak of the model, version and profile that
// were asked for. Pure. The bytes' digest was checked against the signed one when they were fetched.

import { HoldfastError } from '#protocol/errors.ts';
import {
  measurementManifestSchema,
  measureTargetPath,
  type MeasurementManifest,
} from '#protocol/measurement.ts';

/** Errors: `contract-invalid` for what is no measurement, `tuf-mismatch` for another one. */
export function readMeasurement(
  bytes: Uint8Array,
  signed: { readonly targetPath: string; readonly sha256: string; readonly profile: string },
): MeasurementManifest {
  const { targetPath, sha256, profile } = signed;
  const manifest = parse(bytes, targetPath);
  const isAsked =
    measureTargetPath(manifest.model, manifest.version, sha256) === targetPath &&
    manifest.contract.model === manifest.model &&
    manifest.profile === profile;
  if (isAsked) return manifest;
  throw new HoldfastError('tuf-mismatch', `the manifest under ${targetPath} describes another candidate`);
}

function parse(bytes: Uint8Array, targetPath: string): MeasurementManifest {
  try {
    return measurementManifestSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new HoldfastError('contract-invalid', `the manifest ${targetPath} is no measurement`, {
      hint: 'Update the agent, or sign a manifest that it knows.',
      cause,
    });
  }
}
