import { describe, expect, it } from 'vitest';
import { HealthGate } from '#agent/domain/health-gate.ts';
import { evidenceSchema } from '#protocol/evidence.ts';

const FINE = { error: false, deadlineMissed: false };
const FAILED = { error: true, deadlineMissed: false };
const LATE = { error: false, deadlineMissed: true };

describe('the health gate', () => {
  it('is inconclusive on few requests', () => {
    const gate = new HealthGate();
    for (let i = 0; i < 50; i++) gate.observe(FINE);
    expect(gate.decision).toBe('watching');
    expect(evidenceSchema.parse(gate.evidence(5))).toMatchObject({
      gate: 'probation',
      method: 'sprt',
      verdict: 'inconclusive',
      n: 50,
      k: 0,
    });
  });

  it('finds a release good after enough good requests', () => {
    const gate = new HealthGate();
    for (let i = 0; i < 73; i++) gate.observe(FINE);
    expect(gate.decision).toBe('good');
    expect(gate.evidence(5).verdict).toBe('pass');
  });

  it('counts missed deadlines and errors alike', () => {
    const gate = new HealthGate();
    for (const outcome of [FAILED, LATE, FAILED, LATE, FAILED]) gate.observe(outcome);
    expect(gate.decision).toBe('bad');
    const evidence = gate.evidence(5);
    expect(evidence).toMatchObject({ verdict: 'fail', n: 5, k: 5 });
    expect(evidence.log10E).toBeGreaterThanOrEqual(evidence.log10Threshold ?? Infinity);
  });

  it('still sees a release that turns bad after it was found good, as fast as at first', () => {
    const gate = new HealthGate();
    for (let i = 0; i < 1_000; i++) gate.observe(FINE);
    expect(gate.decision).toBe('good');
    for (let i = 0; i < 6; i++) gate.observe(FAILED);
    expect(gate.decision).toBe('bad');
    expect(gate.observe(FINE)).toBe('bad');
  });
});
