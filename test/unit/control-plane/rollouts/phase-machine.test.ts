import { describe, expect, it } from 'vitest';
import { isOpen, PHASE_TABLE, stepPhase } from '#control-plane/rollouts/phase-machine.ts';
import { ROLLOUT_PHASES } from '#protocol/rollout.ts';

describe('rollout phases', () => {
  it('has a row for every phase and only leads to known ones', () => {
    expect(Object.keys(PHASE_TABLE).sort()).toEqual([...ROLLOUT_PHASES].sort());
    const targets = Object.values(PHASE_TABLE).flatMap((row) => Object.values(row));
    for (const target of targets) expect(ROLLOUT_PHASES).toContain(target);
  });

  it('lets every open phase be stopped or come to its end', () => {
    for (const phase of ROLLOUT_PHASES.filter(isOpen)) {
      const ways = Object.values(PHASE_TABLE[phase]);
      expect(
        ways.some((next) => !isOpen(next)),
        phase,
      ).toBe(true);
    }
  });

  it('never leaves rolled-back, and never begins again after an ending', () => {
    expect(PHASE_TABLE['rolled-back']).toEqual({});
    for (const phase of ['completed', 'aborted'] as const) {
      expect(Object.values(PHASE_TABLE[phase])).toEqual(['rolling-back']);
    }
  });

  it('ignores what means nothing now', () => {
    expect(stepPhase('completed', 'resume')).toBeNull();
    expect(stepPhase('rolling-back', 'pause')).toBeNull();
  });
});
