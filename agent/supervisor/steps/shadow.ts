// Runs the candidate beside the version in service on live frames until the pairs say something, or time
// is up. The judge is pure; this only feeds it. Invariant: a candidate is turned away as slower only when a
// second process of it is slower too: one process can be slow by the luck of its start (cores, memory
// layout), which no order of runs evens out. Source: Kalibera, Jones, "Rigorous Benchmarking", ISMM 2013.

import type { Evidence } from '#protocol/evidence.ts';
import { hardEvidence } from '../../domain/hard-evidence.ts';
import { candidateSlot } from '../../domain/journal-state.ts';
import { ShadowJudge, type ShadowJudgement } from '../../domain/shadow-judge.ts';
import { failure, manifestOf, orderOf, type Step, type StepContext, type StepResult } from './step.ts';
import { untilAborted } from './until-aborted.ts';

export const shadow: Step = async (context) => {
  const { deps, signal } = context;
  const { order, manifestSha256 } = orderOf(context);
  const endMs = deps.clock.monotonicMs() + order.policy.shadowDeadlineMs;
  const first = await trial(context, endMs);
  if (first.reason !== 'latency-regression') return first;
  deps.logger.info('slower in its first process; tried again in a second', { detail: first.detail });
  try {
    const release = { manifest: manifestOf(context), manifestSha256 };
    await deps.slots.loadCandidate(candidateSlot(deps.keeper.state), release, signal);
  } catch (error) {
    return failure(error, { otherwise: 'load-failed', gate: 'load', atMs: deps.clock.nowMs() });
  }
  const second = await trial(context, endMs);
  return { ...second, evidence: [...firstOpinion(first), ...(second.evidence ?? [])] };
};

/** The first process's latency, which decided nothing on its own. */
function firstOpinion({ evidence = [] }: StepResult): Evidence[] {
  return evidence
    .filter(({ gate }) => gate === 'latency')
    .map((one) => ({ ...one, verdict: 'inconclusive', summary: `in a first process: ${one.summary}` }));
}

/** One process of the candidate, until its pairs decide or `endMs` (monotonic) has come. */
async function trial(context: StepContext, endMs: number): Promise<StepResult> {
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
  const deadline = deps.clock.after(Math.max(0, endMs - deps.clock.monotonicMs()), () => {
    verdict.resolve(resultOf(judge.judgementAtDeadline(deps.clock.nowMs())));
  });
  try {
    return await untilAborted(verdict.promise, signal);
  } finally {
    deadline.cancel();
    run.stop();
  }
}

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
