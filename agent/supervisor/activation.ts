// The moment of activation: the pointer flips on disk, then requests go to the candidate. Invariant: the
// flip in the journal is the commit point; after a crash right behind it the new release serves first.

import { describeError } from '#protocol/errors.ts';
import type { Happening } from '../domain/happening.ts';
import { isFlipped } from '../domain/deployment-journal.ts';
import { hardEvidence } from '../domain/hard-evidence.ts';
import { manifestBlobOf } from '../domain/journal-state.ts';
import { planOf } from '../domain/plan.ts';
import type { Clock } from '../ports/clock.ts';
import type { Convergence } from './convergence.ts';
import type { JournalKeeper } from './journal-keeper.ts';
import { runningOf, type Slots } from './slots.ts';

export interface ActivationDeps {
  readonly keeper: JournalKeeper;
  readonly slots: Slots;
  readonly convergence: Convergence;
  readonly clock: Clock;
  /** Writes down what happened. */
  readonly write: (happening: Happening) => Promise<unknown>;
}

/** Puts the candidate in service, or says that it could not be. */
export async function activate(deps: ActivationDeps): Promise<void> {
  const { keeper, slots, convergence, clock, write } = deps;
  const deployment = keeper.state.deployment;
  if (deployment?.report.state !== 'activating' || deployment.order === null) return;
  const { report, order, manifest } = deployment;
  const step = { kind: 'step', seq: report.seq, state: 'activating' } as const;
  try {
    if (!isFlipped(keeper.state)) {
      if (manifest === null || slots.candidate === null) throw new Error('the candidate is not loaded');
      await slots.candidate.served.worker.rssBytes(); // a dead process must not get the pointer
      const running = runningOf(manifest, clock.nowMs());
      const installed = { manifest, manifestBlob: manifestBlobOf(order), running };
      await write({ kind: 'flip', seq: report.seq, installed });
    }
    const { serve } = planOf(keeper.state);
    if (serve === null) throw new Error('the pointer did not move');
    await convergence.serveNow(serve);
    await write({ ...step, event: 'activated' });
  } catch (error) {
    const detail = describeError(error);
    const evidence = [hardEvidence('load', 'fail', detail, clock.nowMs())];
    await write({ ...step, event: 'fail', reason: 'activation-failed', detail, evidence });
  }
}
