// The port through which a compression job has a candidate timed on a real device of its profile.

import type { DeviceTiming, Precision } from '#protocol/compression.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import type { DeviceProfile } from '#protocol/profile.ts';

/** A candidate's weights, which lie in the blob store, and the contract they are run under. */
export interface DeviceTimingRequest {
  readonly profile: DeviceProfile;
  /** Version of the contract's model. */
  readonly version: number;
  readonly precision: Precision;
  readonly weights: BlobRef;
  readonly contract: ModelContract;
  readonly signal: AbortSignal;
}

export interface DeviceTimer {
  /**
   * Null when no device of the profile can say: none is enrolled and online, or it does not answer in time.
   * Throws `cancelled` when the signal is aborted; any other error means that a device tried and the candidate
   * failed on it.
   */
  time(request: DeviceTimingRequest): Promise<DeviceTiming | null>;
}
