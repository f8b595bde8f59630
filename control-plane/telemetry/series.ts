// Windows added up to one series per device, model, version and profile. Pure. Quantiles come from merged
// sketches, so they are those of all requests together, not a mean of the windows' own.

import type { TelemetrySeries } from '#protocol/api.ts';
import { emptySketch, mergeSketches, sketchQuantile, type LatencySketch } from '#protocol/latency-sketch.ts';

export interface StoredWindow {
  readonly deviceId: string;
  readonly model: string;
  readonly version: number;
  readonly profile: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly requests: number;
  readonly errors: number;
  readonly rejected: number;
  readonly labelled: number;
  readonly correct: number;
  readonly latency: LatencySketch;
}

type Totals = Omit<TelemetrySeries, 'p50Ms' | 'p95Ms' | 'p99Ms'>;
type Sum = { totals: Totals; latency: LatencySketch };

/** Adds windows one at a time, so that memory is bounded by the number of series. */
export class SeriesSum {
  readonly #sums = new Map<string, Sum>();

  add(window: StoredWindow): void {
    const key = JSON.stringify([window.deviceId, window.model, window.version, window.profile]);
    const sum = this.#sums.get(key) ?? { totals: nothingOf(window), latency: emptySketch() };
    const { totals } = sum;
    this.#sums.set(key, {
      totals: {
        ...totals,
        windows: totals.windows + 1,
        fromMs: Math.min(totals.fromMs, window.startMs),
        toMs: Math.max(totals.toMs, window.endMs),
        requests: totals.requests + window.requests,
        errors: totals.errors + window.errors,
        rejected: totals.rejected + window.rejected,
        labelled: totals.labelled + window.labelled,
        correct: totals.correct + window.correct,
      },
      latency: mergeSketches([sum.latency, window.latency]),
    });
  }

  /** By device, model, version and profile, ascending. */
  series(): TelemetrySeries[] {
    return [...this.#sums.values()]
      .map(({ totals, latency }) => ({
        ...totals,
        p50Ms: sketchQuantile(latency, 0.5),
        p95Ms: sketchQuantile(latency, 0.95),
        p99Ms: sketchQuantile(latency, 0.99),
      }))
      .sort(
        (a, b) =>
          compare(a.deviceId, b.deviceId) ||
          compare(a.model, b.model) ||
          a.version - b.version ||
          compare(a.profile, b.profile),
      );
  }
}

function nothingOf({ deviceId, model, version, profile, startMs, endMs }: StoredWindow): Totals {
  return {
    deviceId,
    model,
    version,
    profile,
    windows: 0,
    fromMs: startMs,
    toMs: endMs,
    requests: 0,
    errors: 0,
    rejected: 0,
    labelled: 0,
    correct: 0,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
