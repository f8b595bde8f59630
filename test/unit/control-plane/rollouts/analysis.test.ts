import { describe, expect, it } from 'vitest';
import { cohortFindings, rollbacksHalt } from '#control-plane/rollouts/analysis.ts';
import type { Evidence } from '#protocol/evidence.ts';
import type { RolloutDevice } from '#protocol/rollout.ts';

function device(profile: string, log10E: number, gate: Evidence['gate'] = 'latency'): RolloutDevice {
  const evidence: Evidence = { gate, verdict: 'pass', method: 'e-process', summary: '', log10E, atMs: 0 };
  return {
    deviceId: 'd', profile, wave: 0, seq: 1, state: 'healthy', reason: null, detail: null, fromVersion: 1,
    evidence: [evidence], rollbackState: null, startedAtMs: 0, updatedAtMs: 0,
  }; // prettier-ignore
}

describe('cohortFindings', () => {
  it('averages e-values of the devices of a profile', () => {
    const [finding] = cohortFindings([device('x86-cpu', 2), device('x86-cpu', 0)]);
    expect(finding?.log10E).toBeCloseTo(Math.log10((100 + 1) / 2), 12);
    expect(finding?.devices).toBe(2);
  });

  it('finds a regression that no device shows alone at its own threshold', () => {
    const fleet = Array.from({ length: 10 }, () => device('x86-cpu', 1.5));
    expect(cohortFindings(fleet)[0]?.rejected).toBe(true);
    expect(cohortFindings([device('x86-cpu', 1.2)])[0]?.rejected).toBe(false);
  });

  it('asks more of each cohort the more cohorts are looked at (e-BH)', () => {
    const alone = cohortFindings([device('a', 1.4)]);
    const among = cohortFindings([device('a', 1.4), device('b', -2), device('c', -2), device('d', -2)]);
    expect(alone[0]?.rejected).toBe(true);
    expect(among.find((one) => one.profile === 'a')?.rejected).toBe(false);
  });

  it('does not overflow on overwhelming evidence', () => {
    const [finding] = cohortFindings([device('a', 5_000), device('a', -5_000)]);
    expect(finding?.log10E).toBeCloseTo(5_000 - Math.log10(2), 6);
  });

  it('leaves disagreement to people', () => {
    expect(cohortFindings([device('a', 50, 'disagreement')])).toEqual([]);
  });
});

describe('rollbacksHalt', () => {
  it('lets one device in thousands turn back', () => {
    expect(rollbacksHalt(1, 1_000)).toBe(false);
    expect(rollbacksHalt(5, 1_000)).toBe(false);
  });

  it('halts when devices turn back at the bad rate', () => {
    expect(rollbacksHalt(3, 2)).toBe(true);
    expect(rollbacksHalt(10, 190)).toBe(true);
  });
});
