// Which device belongs to which wave. Invariants: every device has exactly one wave; early waves meet as
// many profiles as they can, because a verdict on one device class says nothing of another.

import type { Wave } from '#protocol/rollout.ts';

export interface PlannedDevice {
  readonly deviceId: string;
  readonly profile: string;
}

/** Wave index by device; what the last wave leaves over joins it. Waves that would be empty stay empty. */
export function assignWaves(devices: readonly PlannedDevice[], waves: readonly Wave[]): Map<string, number> {
  const queue = interleavedByProfile(devices);
  const assigned = new Map<string, number>();
  waves.forEach((wave, index) => {
    const isLast = index === waves.length - 1;
    const size = isLast ? queue.length : sizeOf(wave, devices.length);
    for (const device of queue.splice(0, size)) assigned.set(device.deviceId, index);
  });
  return assigned;
}

function sizeOf(wave: Wave, total: number): number {
  return 'count' in wave.size ? wave.size.count : Math.max(1, Math.ceil((total * wave.size.percent) / 100));
}

/** One of each profile, then the next of each; within a profile by id, so that a plan can be foretold. */
function interleavedByProfile(devices: readonly PlannedDevice[]): PlannedDevice[] {
  const byProfile = Map.groupBy(
    [...devices].sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1)),
    (device) => device.profile,
  );
  const columns = [...byProfile.keys()].sort().map((profile) => byProfile.get(profile) ?? []);
  const longest = Math.max(0, ...columns.map((column) => column.length));
  return Array.from({ length: longest }, (_, row) => columns.map((column) => column[row]))
    .flat()
    .filter((device) => device !== undefined);
}
