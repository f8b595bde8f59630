// Which device of a profile times a candidate. Pure.

import type { Device } from '#protocol/api.ts';
import { isDeploymentEnded } from '#protocol/deployment.ts';

/** Null when no active device of the profile is there, idle and well; of several the first by id. */
export function deviceToMeasure(
  devices: readonly Device[],
  profile: string,
  weightsSha256: string,
): Device | null {
  const able = devices.filter(
    (device) =>
      device.profile === profile &&
      device.state === 'active' &&
      device.online &&
      isIdleAndWell(device) &&
      device.reported?.quarantined.includes(weightsSha256) === false,
  );
  return able.toSorted((a, b) => (a.id < b.id ? -1 : 1))[0] ?? null;
}

/** It has ended what it was ordered to do, and did not fail at it. */
function isIdleAndWell({ desiredSeq, reported }: Device): boolean {
  const deployment = reported?.deployment ?? null;
  if (deployment === null) return desiredSeq === 0;
  return deployment.seq >= desiredSeq && isDeploymentEnded(deployment.state) && deployment.state !== 'failed';
}
