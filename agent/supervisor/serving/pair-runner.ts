// One live request run by the active slot and the candidate, one after the other in coin-flip order, with
// nothing else on either worker. Invariants: the caller is answered by the active slot alone and as soon as
// it has; the candidate can neither fail nor hold up the request for longer than its patience.

import type { ShadowPair } from '../../domain/shadow-judge.ts';
import type { Chance, Clock } from '../../ports/clock.ts';
import type { InferResult } from '../../ports/runtime.ts';
import type { Lane } from './lane.ts';
import { isInputFault } from './settlement.ts';
import type { Ticket } from './ticket.ts';

export interface PairDeps {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly throttleEpoch: () => number;
}

export type Finished =
  | { readonly kind: 'done'; readonly result: InferResult }
  | { readonly kind: 'failed'; readonly error: unknown };
/** `late` is a run whose time ran out; it goes on by itself. */
type Run = Finished | { readonly kind: 'late'; readonly elapsedMs: number };

/** A candidate this many times slower than the baseline's last run has lost the pair; nobody waits for more. */
const PATIENCE_FACTOR = 5;
const LEAST_PATIENCE_MS = 100;
/** Stands for the baseline's latency until one is known. */
const ASSUMED_BASELINE_MS = 250;
/** The candidate's own deadline; patience ends sooner. */
const CANDIDATE_DEADLINE_MS = 60_000;

export class PairRunner {
  readonly #deps: PairDeps;
  #baselineMs = ASSUMED_BASELINE_MS;

  constructor(deps: PairDeps) {
    this.#deps = deps;
  }

  /** Is there time for both runs, with as much again to spare? */
  hasTime(leftMs: number): boolean {
    return leftMs >= 4 * this.#baselineMs;
  }

  /**
   * `answer` gets the active slot's run as soon as it is over and settles the caller. Resolves to the pair once
   * both runs are over or given up; null when the input itself was refused, which says nothing of either slot.
   */
  async run(
    active: Lane,
    candidate: Lane,
    ticket: Ticket,
    answer: (run: Finished) => void,
  ): Promise<ShadowPair | null> {
    const epoch = this.#deps.throttleEpoch();
    const runActive = async (): Promise<Finished> => {
      const run = await finished(active.infer(ticket.toInferRequest()));
      answer(run);
      return run;
    };
    let a: Finished;
    let b: Run;
    if (this.#deps.chance.uniform() < 0.5) {
      a = await runActive();
      b = await this.#runCandidate(candidate, ticket);
    } else {
      b = await this.#runCandidate(candidate, ticket);
      a = await runActive();
    }
    if (a.kind === 'done') this.#baselineMs = a.result.latencyMs;
    if (a.kind === 'failed' && isInputFault(a.error)) return null;
    return pairOf(a, b, epoch !== this.#deps.throttleEpoch());
  }

  /** The candidate may use half of what is left of the caller's time, and no more than a fair run needs. */
  async #runCandidate(candidate: Lane, ticket: Ticket): Promise<Run> {
    const { clock } = this.#deps;
    const fairMs = Math.max(LEAST_PATIENCE_MS, PATIENCE_FACTOR * this.#baselineMs);
    const startMs = clock.monotonicMs();
    const late = Promise.withResolvers<Run>();
    const timer = clock.after(Math.min(fairMs, Math.max(LEAST_PATIENCE_MS, ticket.leftMs / 2)), () =>
      late.resolve({ kind: 'late', elapsedMs: clock.monotonicMs() - startMs }),
    );
    try {
      const request = { inputs: ticket.request.inputs, deadlineMs: CANDIDATE_DEADLINE_MS };
      return await Promise.race([finished(candidate.infer(request)), late.promise]);
    } finally {
      timer.cancel();
    }
  }
}

async function finished(run: Promise<InferResult>): Promise<Finished> {
  try {
    return { kind: 'done', result: await run };
  } catch (error) {
    return { kind: 'failed', error };
  }
}

/** A late candidate counts with the time waited so far, which is less than the truth. */
function pairOf(a: Finished, b: Run, throttled: boolean): ShadowPair {
  return {
    latencyAMs: a.kind === 'done' ? a.result.latencyMs : null,
    latencyBMs: b.kind === 'done' ? b.result.latencyMs : b.kind === 'late' ? b.elapsedMs : null,
    errorA: a.kind !== 'done',
    errorB: b.kind === 'failed',
    finiteB: b.kind !== 'done' || b.result.finite,
    top1A: a.kind === 'done' ? (a.result.classes[0]?.index ?? null) : null,
    top1B: b.kind === 'done' ? (b.result.classes[0]?.index ?? null) : null,
    throttled,
  };
}
