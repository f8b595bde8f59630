// A rollout's phases as one transition table and a pure step() (DESIGN.md section 2). Invariant: what a
// table row does not name changes nothing, and `rolled-back` has no way out.

import type { RolloutPhase } from '#protocol/rollout.ts';

export type RolloutEvent =
  | 'start'
  | 'due'
  | 'pause'
  | 'hold'
  | 'resume'
  | 'gate-failed'
  | 'all-waves-healthy'
  | 'rollback'
  | 'reverted'
  | 'abort';

type Row = Partial<Record<RolloutEvent, RolloutPhase>>;

export const PHASE_TABLE: Readonly<Record<RolloutPhase, Row>> = {
  draft: { start: 'progressing', abort: 'aborted' },
  'awaiting-approval': { start: 'progressing', abort: 'aborted' },
  scheduled: { due: 'progressing', start: 'progressing', abort: 'aborted' },
  progressing: {
    pause: 'paused',
    hold: 'paused',
    'gate-failed': 'rolling-back',
    'all-waves-healthy': 'completed',
    rollback: 'rolling-back',
    abort: 'aborted',
  },
  paused: { resume: 'progressing', rollback: 'rolling-back', abort: 'aborted' },
  'rolling-back': { reverted: 'rolled-back' },
  completed: { rollback: 'rolling-back' },
  'rolled-back': {},
  aborted: { rollback: 'rolling-back' },
};

/** The next phase, or null when the event means nothing in this phase. */
export function stepPhase(phase: RolloutPhase, event: RolloutEvent): RolloutPhase | null {
  return PHASE_TABLE[phase][event] ?? null;
}

/** The event has had its effect already: a repeated command, whose first answer was lost, must do no harm. */
export function hasHappened(phase: RolloutPhase, event: RolloutEvent): boolean {
  if (event === 'rollback' && phase === 'rolled-back') return true;
  return Object.values(PHASE_TABLE).some((row) => row[event] === phase);
}

/** Open rollouts are the ones the controller works on, and that bar another on the same devices. */
export function isOpen(phase: RolloutPhase): boolean {
  return !['completed', 'rolled-back', 'aborted'].includes(phase);
}
