import { expect, test } from 'vitest';
import { roomForManifest, roomForRelease } from '#agent/domain/room.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { testProfile } from '#test/fakes/agent-world.ts';

const snapshot = {
  cpuLoadPct: null,
  memoryUsedBytes: null,
  memoryAvailableBytes: 1e9,
  temperatureC: null,
  diskFreeBytes: 1e9,
  throttleEpoch: 0,
};

test('there is room when disk, memory and profile allow, and each shortfall is said with its numbers', () => {
  const profile = testProfile();
  const manifest = aManifest(1);
  expect(roomForManifest(snapshot).enough).toBe(true);
  expect(roomForManifest({ ...snapshot, diskFreeBytes: 1e6 })).toEqual({
    enough: false,
    summary:
      'disk-full: 67 MB of disk are needed and 1.0 MB are free (free space on the disk of the data folder)',
  });
  expect(roomForRelease(manifest, profile, snapshot)).toMatchObject({ enough: true });
  expect(roomForRelease(manifest, profile, { ...snapshot, diskFreeBytes: 1e7 })).toMatchObject({
    enough: false,
    summary: expect.stringMatching(/67 MB of disk are needed and 10 MB are free/),
  });
  expect(roomForRelease(manifest, profile, { ...snapshot, memoryAvailableBytes: 2e6 }).summary).toBe(
    'the contract declares 50 MB of memory and 2.0 MB are available',
  );
  const tight = { ...profile, budgets: { ...profile.budgets, weightsBytes: 3 } };
  expect(roomForRelease(manifest, tight, snapshot).summary).toContain("over the profile's");
});
