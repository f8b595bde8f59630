// The control plane said that there is an order; the order watcher looks for it in the signed metadata.
// This step only ends the waiting, with what stood in the way.

import { STATE_DEADLINE_MS } from '#protocol/deployment.ts';
import { hardEvidence } from '../../domain/hard-evidence.ts';
import type { Step, StepResult } from './step.ts';
import { untilAborted } from './until-aborted.ts';

export const notified: Step = async ({ deployment, deps, signal }) => {
  const end = Promise.withResolvers<StepResult>();
  const timer = deps.clock.after(STATE_DEADLINE_MS.notified, () => {
    const why = deps.whyNoOrder() ?? `the Director does not order ${deployment.report.seq} yet`;
    const detail = `no signed order within ${STATE_DEADLINE_MS.notified / 1_000} s: ${why}`;
    const evidence = [hardEvidence('metadata', 'fail', detail, deps.clock.nowMs())];
    end.resolve({ event: 'fail', reason: 'metadata-refused', detail, evidence });
  });
  try {
    return await untilAborted(end.promise, signal);
  } finally {
    timer.cancel();
  }
};
