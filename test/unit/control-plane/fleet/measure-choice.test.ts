import { describe, expect, it } from 'vitest';
import { deviceToMeasure } from '#control-plane/fleet/measure-choice.ts';
import type { Device } from '#protocol/api.ts';
import { deploymentReport, reportedBody } from '#test/fixtures/protocol/sample-messages.ts';

const WEIGHTS = 'b'.repeat(64);

/** Online, and through with what it was ordered to do. */
function device(id: string, change: Partial<Device> = {}): Device {
  return {
    id,
    profile: 'cpu-generic',
    labels: {},
    online: true,
    lastSeenMs: 1,
    enrolledAtMs: 1,
    state: 'active',
    decision: null,
    keySha256: null,
    certificateExpiresAtMs: null,
    desiredSeq: 3,
    desired: null,
    reported: reportedBody({ deployment: deploymentReport(3, ['probation', 'healthy']) }),
    ...change,
  };
}
const chosen = (...devices: Device[]): string | undefined =>
  deviceToMeasure(devices, 'cpu-generic', WEIGHTS)?.id;
const after = (state: 'shadow' | 'failed' | 'rolled-back' | 'held', seq = 3): Partial<Device> => ({
  reported: reportedBody({ deployment: deploymentReport(seq, ['shadow', state]) }),
});

describe('a candidate is timed', () => {
  it('by the first idle device of the profile', () => {
    expect(chosen(device('c'), device('b'), device('a', { profile: 'x86-cpu' }))).toBe('b');
    expect(chosen()).toBeUndefined();
  });

  it('by a device that runs nothing yet, or went back to what it had', () => {
    expect(chosen(device('new', { desiredSeq: 0, reported: reportedBody() }))).toBe('new');
    expect(chosen(device('back', after('rolled-back')))).toBe('back');
    expect(chosen(device('holding', after('held')))).toBe('holding');
  });

  it.each<[string, Partial<Device>]>([
    ['is away', { online: false }],
    ['never reported', { reported: null }],
    ['is deploying', after('shadow')],
    ['has an order that it has not begun', { desiredSeq: 4 }],
    ['has its first order before it', { desiredSeq: 1, reported: reportedBody() }],
    ['failed at its last order', after('failed')],
    [
      'put these weights in quarantine',
      { reported: reportedBody({ quarantined: [WEIGHTS] }), desiredSeq: 0 },
    ],
  ])('not by one that %s', (_what, change) => {
    expect(chosen(device('a', change))).toBeUndefined();
  });
});
