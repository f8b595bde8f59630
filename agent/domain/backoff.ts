// Exponential backoff with equal jitter: at least half of the step, so that a fleet that lost its control
// plane in one moment does not come back in one moment. Source: Brooker, "Exponential Backoff And Jitter".

export interface BackoffSteps {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Delay before try number `attempt` (1 is the first retry), ms. `uniform` is in [0, 1). */
export function backoffMs(attempt: number, steps: BackoffSteps, uniform: number): number {
  const stepMs = Math.min(steps.maxMs, steps.firstMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 30));
  return stepMs / 2 + (stepMs / 2) * uniform;
}
