import { describe, expect, it } from 'vitest';
import { rolloutScreen } from '#control-plane/view/rollout-view.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import type { Rollout, RolloutDevice } from '#protocol/rollout.ts';

function device(deviceId: string, wave: number, rest: Partial<RolloutDevice> = {}): RolloutDevice {
  return {
    deviceId, profile: 'x86-cpu', wave, seq: null, state: 'queued', reason: null, detail: null, fromVersion: 1,
    evidence: [], rollbackState: null, startedAtMs: null, updatedAtMs: 0, ...rest,
  }; // prettier-ignore
}

function rollout(devices: RolloutDevice[], rest: Partial<Rollout> = {}): Rollout {
  return {
    id: 'ro-1', model: 'digits', version: 2, phase: 'progressing', reason: null, selector: {}, wave: 0, soakUntilMs: null,
    plan: {
      waves: [{ size: { count: 1 }, soakMs: 60_000 }, { size: { percent: 100 }, soakMs: 60_000 }],
      gates: { maxFailedPerWave: 0, deviceDeadlineMs: 60_000, onFailure: 'rollback' },
      policy: DEFAULT_DEPLOYMENT_POLICY, approval: false, startAtMs: null,
    },
    createdAtMs: 0, updatedAtMs: 0, devices, ...rest,
  }; // prettier-ignore
}

describe('rolloutScreen', () => {
  it('shows the canary under way and the rest waiting', () => {
    const { waves } = rolloutScreen(
      rollout([device('a', 0, { seq: 1, state: 'shadow' }), device('b', 1)]),
      0,
    );
    expect(waves.map(({ name, status, tone, note }) => ({ name, status, tone, note }))).toEqual([
      { name: 'canary', status: 'current', tone: 'busy', note: '1 under way' },
      { name: 'wave 1', status: 'waiting', tone: 'idle', note: 'waiting' },
    ]);
  });

  it('counts down the soak of a healthy wave', () => {
    const soaking = rollout([device('a', 0, { seq: 1, state: 'healthy' }), device('b', 1)], {
      soakUntilMs: 30_000,
    });
    expect(rolloutScreen(soaking, 10_000).waves[0]).toMatchObject({
      tone: 'good',
      note: 'soaking, 20 s left',
    });
  });

  it('says in words why a device turned back, with the evidence', () => {
    const failed = device('a', 0, {
      seq: 1,
      state: 'failed',
      reason: 'golden-mismatch',
      rollbackState: 'healthy',
      evidence: [{ gate: 'golden', verdict: 'fail', method: 'hard', summary: 'off by 7.2', atMs: 0 }],
    });
    const [wave, rest] = rolloutScreen(rollout([failed, device('b', 1)], { phase: 'rolled-back' }), 0).waves;
    expect(wave?.devices[0]).toMatchObject({
      state: 'back',
      tone: 'bad',
      why: 'its answers on the golden vectors are wrong',
    });
    expect(wave?.devices[0]?.evidence).toEqual([
      { gate: 'golden', verdict: 'fail', tone: 'bad', summary: 'off by 7.2' },
    ]);
    expect(rest?.note).toBe('never asked');
  });

  it('says when a device had nothing to go back to', () => {
    const first = device('a', 0, { seq: 1, state: 'failed', fromVersion: null, rollbackState: 'cancelled' });
    const [wave] = rolloutScreen(rollout([first], { phase: 'rolled-back' }), 0).waves;
    expect(wave?.devices[0]?.state).toBe('nothing to go back to');
  });

  it('offers only commands that mean something in the phase', () => {
    expect(rolloutScreen(rollout([], { phase: 'paused' }), 0).commands).toEqual([
      'resume',
      'rollback',
      'abort',
    ]);
    expect(rolloutScreen(rollout([], { phase: 'rolled-back' }), 0).commands).toEqual([]);
  });
});
