// Runs the author's golden vectors on this very device. A candidate that reads them differently never sees
// a live frame.

import type { GoldenTolerance } from '#protocol/model-contract.ts';
import type { GoldenResult } from '../../ports/runtime.ts';
import { hardEvidence } from '../../domain/hard-evidence.ts';
import type { LoadedSlot } from '../slots.ts';
import { failure, manifestOf, orderOf, type Step } from './step.ts';

export const golden: Step = async (context) => {
  const { deps, signal } = context;
  const atMs = (): number => deps.clock.nowMs();
  try {
    const candidate = deps.slots.candidate;
    if (candidate === null) throw new Error('the candidate is not loaded');
    const { tolerance } = manifestOf(context).variant;
    const result = await runGolden(candidate, tolerance, signal);
    const numbers = {
      n: result.count,
      maxAbs: result.maxAbs,
      allowedMaxAbs: tolerance.maxAbs,
      top1Agreement: result.top1Agreement,
    };
    if (!result.finite) {
      const summary = `NaN or infinity in an output of the ${result.count} golden vectors`;
      const evidence = [hardEvidence('finite', 'fail', summary, atMs(), { n: result.count })];
      return { event: 'fail', reason: 'not-finite', detail: summary, evidence };
    }
    const summary = inWords(result, tolerance.maxAbs);
    const verdict = result.passed ? 'pass' : 'fail';
    const evidence = [hardEvidence('golden', verdict, summary, atMs(), numbers)];
    if (!result.passed) return { event: 'fail', reason: 'golden-mismatch', detail: summary, evidence };
    const isDirect = orderOf(context).order.policy.mode === 'direct' || deps.serving.active === null;
    return { event: isDirect ? 'golden-passed-direct' : 'golden-passed', evidence };
  } catch (error) {
    return failure(error, { otherwise: 'golden-mismatch', gate: 'golden', atMs: atMs() });
  }
};

/** An abort ends the process, since a run cannot be interrupted; after the run it has no part in it any more. */
async function runGolden(
  { served, goldenPath }: LoadedSlot,
  tolerance: GoldenTolerance,
  signal: AbortSignal,
): Promise<GoldenResult> {
  const kill = (): void => served.worker.kill();
  signal.addEventListener('abort', kill, { once: true });
  try {
    return await served.worker.golden(goldenPath, tolerance);
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

function inWords({ count, maxAbs, top1Agreement }: GoldenResult, allowed: number): string {
  const share = `${(top1Agreement * 100).toFixed(1)} % of ${count} golden vectors agree in their best class`;
  return `${share}; largest difference ${maxAbs.toPrecision(3)}, allowed ${allowed.toPrecision(3)}`;
}
