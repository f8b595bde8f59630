// Times a loaded model on golden inputs: what a candidate costs on this very device. Two numbers come out, by
// nearest rank, and the most memory that this process ever held.

import { readFileSync } from 'node:fs';
import type { MeasuredTiming } from '#protocol/measurement.ts';
import { percentile } from '#protocol/percentile.ts';
import type { TimeRequest } from '../ports/runtime.ts';

/** At least one run, at most `runs`; none begins after `limitMs`. */
export async function timeRuns(
  model: { runTimes(goldenPath: string): AsyncIterable<number> },
  { goldenPath, runs, limitMs }: TimeRequest,
): Promise<MeasuredTiming> {
  const endMs = performance.now() + limitMs;
  const runsMs: number[] = [];
  for await (const runMs of model.runTimes(goldenPath)) {
    runsMs.push(runMs);
    if (runsMs.length === runs || performance.now() >= endMs) break;
  }
  runsMs.sort((a, b) => a - b);
  return {
    runs: runsMs.length,
    p50Ms: percentile(runsMs, 0.5),
    p95Ms: percentile(runsMs, 0.95),
    memoryBytes: peakRssBytes(),
  };
}

/** Linux's own high-water mark; ru_maxrss also counts what the parent held when it made this process (getrusage(2)). */
function peakRssBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kib) * 1024;
}
