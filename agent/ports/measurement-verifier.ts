// What this device may time, proven: the Image repository signed it for this profile and for measuring. The
// Director is not asked: it says what a device runs in service, and a measurement puts nothing in service.

import type { BlobRef } from '#protocol/identifiers.ts';

export interface MeasurementVerifier {
  /**
   * The target's bytes as they were signed. Errors: `tuf-mismatch` when nobody signed it to be timed on this
   * profile, else those of `ReleaseVerifier.refresh` that are not of the Director.
   */
  verifyMeasurement(targetPath: string, signal: AbortSignal): Promise<BlobRef>;
}
