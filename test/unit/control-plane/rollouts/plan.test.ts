import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignWaves } from '#control-plane/rollouts/plan.ts';
import type { Wave } from '#protocol/rollout.ts';

const device = fc.record({
  deviceId: fc.uuid(),
  profile: fc.constantFrom('x86-cpu', 'arm64-cpu', 'jetson-orin'),
});
const devices = fc.uniqueArray(device, { selector: (one) => one.deviceId, maxLength: 60 });
const wave: fc.Arbitrary<Wave> = fc.record({
  size: fc.oneof(
    fc.record({ count: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
  ),
  soakMs: fc.constant(0),
});

describe('assignWaves', () => {
  it('gives every device exactly one wave that the plan has', () => {
    fc.assert(
      fc.property(devices, fc.array(wave, { minLength: 1, maxLength: 6 }), (fleet, waves) => {
        const assigned = assignWaves(fleet, waves);
        expect([...assigned.keys()].sort()).toEqual(fleet.map((one) => one.deviceId).sort());
        for (const index of assigned.values()) expect(index).toBeLessThan(waves.length);
      }),
    );
  });

  it('keeps a counted canary to its count while others are left', () => {
    fc.assert(
      fc.property(devices, fc.integer({ min: 1, max: 5 }), (fleet, count) => {
        const waves: Wave[] = [
          { size: { count }, soakMs: 0 },
          { size: { percent: 100 }, soakMs: 0 },
        ];
        const canaries = [...assignWaves(fleet, waves).values()].filter((index) => index === 0);
        expect(canaries).toHaveLength(Math.min(count, fleet.length));
      }),
    );
  });

  it('meets every profile before it meets one twice', () => {
    const fleet = ['a', 'b', 'c', 'd', 'e', 'f'].map((deviceId, index) => ({
      deviceId,
      profile: index < 4 ? 'x86-cpu' : `rare-${index}`,
    }));
    const assigned = assignWaves(fleet, [
      { size: { count: 3 }, soakMs: 0 },
      { size: { count: 9 }, soakMs: 0 },
    ]);
    const canaries = fleet.filter((one) => assigned.get(one.deviceId) === 0);
    expect(new Set(canaries.map((one) => one.profile))).toEqual(new Set(['x86-cpu', 'rare-4', 'rare-5']));
  });

  it('takes a percentage of all devices, rounded up, at least one', () => {
    const fleet = Array.from({ length: 11 }, (_, index) => ({ deviceId: `d${index}`, profile: 'x86-cpu' }));
    const waves: Wave[] = [
      { size: { percent: 1 }, soakMs: 0 },
      { size: { percent: 20 }, soakMs: 0 },
      { size: { count: 1 }, soakMs: 0 },
    ];
    const sizes = [0, 1, 2].map(
      (index) => [...assignWaves(fleet, waves).values()].filter((of) => of === index).length,
    );
    expect(sizes).toEqual([1, 3, 7]);
  });
});
