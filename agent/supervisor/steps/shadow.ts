// Runs the candidate beside the version in service on live frames until the pairs say something, or time
// is up. The judge is pure; this only feeds it.

import { hardEvidence } from '../../domain/hard-evidence.ts';
import { ShadowJudge, type ShadowJudgement } from '../../domain/shadow-judge.ts';
import { manifestOf, orderOf, type Step, type StepResult } from './step.ts';

export const shadow: Step = async (context) => {
  const { deps, signal } = context;
  const { policy } = orderOf(context).order;
  const candidate = deps.slots.candidate;
  if (candidate === null) {
    return { event: 'fail', reason: 'worker-crashed', detail: 'the candidate is not loaded' };
  }
  const { maxDisagreementRate } = manifestOf(context).contract.budgets;
  const judge = new ShadowJudge({ ...policy, maxDisagreementRate });
  const verdict = Promise.withResolvers<StepResult>();
  const run = deps.serving.shadow(candidate.served, {
    pair: (pair) => {
      if (judge.observe(pair) === 'continue') return;
      verdict.resolve(resultOf(judge.judgement(deps.clock.nowMs())));
    },
    lost: ({ detail }) => {
      const evidence = [
        hardEvidence('errors', 'fail', `the candidate's process ended: ${detail}`, deps.clock.nowMs()),
      ];
      verdict.resolve({ event: 'shadow-worse', reason: 'worker-crashed', detail, evidence });
    },
  });
  const deadline = deps.clock.after(policy.shadowDeadlineMs, () => {
    verdict.resolve(resultOf(judge.judgementAtDeadline(deps.clock.nowMs())));
  });
  const stop = (): void => verdict.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await verdict.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    deadline.cancel();
    run.stop();
  }
};

function resultOf({ decision, reason, evidence }: ShadowJudgement): StepResult {
  const deciding = evidence.find(({ verdict }) => verdict === 'fail') ?? evidence[0];
  const told = {
    evidence,
    ...(reason === null ? {} : { reason }),
    ...(deciding === undefined ? {} : { detail: deciding.summary }),
  };
  if (decision === 'pass') return { event: 'shadow-passed', evidence };
  if (decision === 'fail') return { event: 'shadow-worse', ...told };
  return { event: 'hold', ...told };
}
