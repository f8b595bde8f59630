// Watches a release in service for the policy's time. The version before it stays warm, so that going back
// costs one swap. Without a verdict against it the release stays.

import { HealthGate } from '../../domain/health-gate.ts';
import { isRunning } from '../slots.ts';
import { manifestOf, orderOf, type Step, type StepResult } from './step.ts';
import { untilAborted } from './until-aborted.ts';

export const probation: Step = async (context) => {
  const { deps, signal } = context;
  const gate = new HealthGate();
  const manifest = manifestOf(context);
  const verdict = Promise.withResolvers<StepResult>();
  using _listening = deps.servingEvents.subscribe({
    outcome: (outcome) => {
      if (!isRunning(outcome.release, manifest) || gate.observe(outcome) !== 'bad') return;
      const evidence = gate.evidence(deps.clock.nowMs());
      verdict.resolve({
        event: 'probation-worse',
        reason: 'probation-regression',
        detail: evidence.summary,
        evidence: [evidence],
      });
    },
  });
  const end = deps.clock.after(orderOf(context).order.policy.probationMs, () => {
    verdict.resolve({ event: 'probation-passed', evidence: [gate.evidence(deps.clock.nowMs())] });
  });
  try {
    return await untilAborted(verdict.promise, signal);
  } finally {
    end.cancel();
  }
};
