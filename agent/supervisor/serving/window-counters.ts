// Counts of service by release between two telemetry windows. Memory is bounded: latencies are folded into
// a sketch as they come.

import { emptySketch, mergeSketches, sketchOf, type LatencySketch } from '#protocol/latency-sketch.ts';
import type { RunningRelease } from '#protocol/messages.ts';
import type { ReleaseWindow, ServeAnswer } from './serving-types.ts';

const FOLD_AT = 1_024;

interface Counts {
  readonly release: RunningRelease;
  requests: number;
  errors: number;
  rejected: number;
  labelled: number;
  correct: number;
  latency: LatencySketch;
  readonly samplesMs: number[];
}

export class WindowCounters {
  #byRelease = new Map<string, Counts>();

  answered({ release, result, latencyMs }: ServeAnswer, groundTruth: string | undefined): void {
    const counts = this.#of(release);
    counts.requests++;
    if (groundTruth !== undefined) {
      counts.labelled++;
      if (result.classes[0]?.label === groundTruth) counts.correct++;
    }
    counts.samplesMs.push(latencyMs);
    if (counts.samplesMs.length >= FOLD_AT) fold(counts);
  }

  failed(release: RunningRelease): void {
    const counts = this.#of(release);
    counts.requests++;
    counts.errors++;
  }

  rejected(release: RunningRelease): void {
    this.#of(release).rejected++;
  }

  /** Hands the counts out and starts from zero. */
  take(): ReleaseWindow[] {
    const windows = [...this.#byRelease.values()].map((counts) => {
      fold(counts);
      const { samplesMs: _, ...window } = counts;
      return window;
    });
    this.#byRelease = new Map();
    return windows;
  }

  #of(release: RunningRelease): Counts {
    const key = `${release.weightsSha256} ${release.model} ${release.version} ${release.sinceMs}`;
    let counts = this.#byRelease.get(key);
    if (counts === undefined) {
      counts = {
        release,
        requests: 0,
        errors: 0,
        rejected: 0,
        labelled: 0,
        correct: 0,
        latency: emptySketch(),
        samplesMs: [],
      };
      this.#byRelease.set(key, counts);
    }
    return counts;
  }
}

function fold(counts: Counts): void {
  if (counts.samplesMs.length === 0) return;
  counts.latency = mergeSketches([counts.latency, sketchOf(counts.samplesMs.splice(0))]);
}
