// Follows a rollout until it needs a person or has ended. Each change is one block of lines, so that it
// reads the same in a terminal and in a log.

import { setTimeout as pause } from 'node:timers/promises';
import { rolloutSchema, type Rollout, type RolloutPhase } from '#protocol/rollout.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { rolloutLines } from './rollout-lines.ts';

const POLL_MS = 500;
const MOVING: readonly RolloutPhase[] = ['progressing', 'rolling-back', 'scheduled'];

/** Answers with the last state; exit status 1 when the rollout did not complete. */
export async function watchRollout(
  { api, out, signal, setExitCode }: CommandContext,
  id: string,
): Promise<void> {
  let told = '';
  let rollout: Rollout;
  for (;;) {
    rollout = await api.get(`/rollouts/${encodeURIComponent(id)}`, rolloutSchema);
    const signature = JSON.stringify([
      rollout.phase,
      rollout.wave,
      rollout.devices.map((device) => [device.state, device.rollbackState]),
    ]);
    if (!MOVING.includes(rollout.phase)) break;
    if (signature !== told && out.format === 'table')
      out.aside(`${rolloutLines(rollout, Date.now()).join('\n')}\n`);
    told = signature;
    await pause(POLL_MS, undefined, { signal });
  }
  out.answer(rollout, () => rolloutLines(rollout, Date.now()));
  if (rollout.phase !== 'completed') setExitCode(EXIT.badOutcome);
}
