// What makes a telemetry window believable, beyond its schema. Pure: counts that contradict each other would
// otherwise poison every sum they enter.

import type { TelemetryBody } from '#protocol/messages.ts';

const MAX_WINDOW_MS = 86_400_000;
const MAX_REQUESTS = 1_000_000_000;

/** What is wrong with a window, or null. */
export function windowProblem(body: TelemetryBody): string | null {
  const { windowStartMs, windowEndMs, requests, errors, rejected, labelled, correct, latency } = body;
  const lengthMs = windowEndMs - windowStartMs;
  if (lengthMs < 0 || lengthMs > MAX_WINDOW_MS) return `a window of ${lengthMs} ms`;
  if (Math.max(requests, errors, rejected, latency.count) > MAX_REQUESTS)
    return `more than ${MAX_REQUESTS} requests`;
  if (errors > requests) return `${errors} errors in ${requests} requests`;
  if (correct > labelled || labelled > requests)
    return `${correct} right of ${labelled} labelled of ${requests} requests`;
  const binned = latency.bins.reduce((sum, [, count]) => sum + count, latency.zeroCount);
  if (binned !== latency.count) return `a sketch of ${latency.count} samples whose bins hold ${binned}`;
  if (latency.bins.some(([index], i) => i > 0 && index <= (latency.bins[i - 1]?.[0] ?? index)))
    return 'a sketch whose bins do not rise';
  if (latency.minMs > latency.maxMs) return 'a sketch whose least is above its greatest';
  return null;
}
