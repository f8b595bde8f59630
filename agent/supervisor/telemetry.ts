// Windows of service: counts and latencies of each release, closed at every swap, into the outbox. Quiet
// windows are told once a minute, so that the control plane still sees temperature and memory.

import { emptySketch, mergeSketches } from '#protocol/latency-sketch.ts';
import type { RunningRelease, TelemetryBody } from '#protocol/messages.ts';
import { activeRelease } from '../domain/journal-state.ts';
import { withTelemetry } from '../domain/outbox.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { JournalState } from '../ports/journal.ts';
import type { Logger } from '../ports/logger.ts';
import type { SystemProbe } from '../ports/system-probe.ts';
import type { JournalKeeper } from './journal-keeper.ts';
import type { ReleaseWindow } from './serving/serving-types.ts';
import type { Serving } from './serving/serving.ts';
import { isRunning } from './slots.ts';

const QUIET_INTERVAL_MS = 60_000;

export interface TelemetryDeps {
  readonly serving: Serving;
  readonly keeper: JournalKeeper;
  readonly probe: SystemProbe;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly windowMs: number;
}

/** Since this start of the agent; the latency is of the release in service. */
export type ServiceTotals = Omit<ReleaseWindow, 'release'>;

const NOTHING: ServiceTotals = {
  requests: 0,
  errors: 0,
  rejected: 0,
  labelled: 0,
  correct: 0,
  latency: emptySketch(),
};

export class Telemetry implements AsyncDisposable {
  readonly #deps: TelemetryDeps;
  #windowStartMs: number;
  #lastToldMs = -Infinity;
  #timer: Timer | null = null;
  #closing: Promise<void> = Promise.resolve();
  #totals: ServiceTotals = NOTHING;
  #latencyOf = '';

  constructor(deps: TelemetryDeps) {
    this.#deps = deps;
    this.#windowStartMs = deps.clock.nowMs();
  }

  get totals(): ServiceTotals {
    return this.#totals;
  }

  start(): void {
    this.#timer = this.#deps.clock.after(this.#deps.windowMs, () => {
      this.closeWindow();
      this.start();
    });
  }

  /** Ends the window now: at its time, and at every swap. */
  closeWindow(): void {
    const served = this.#deps.serving.takeWindow();
    const windows = served.length > 0 ? served : this.#quietWindow();
    const startMs = this.#windowStartMs;
    this.#windowStartMs = Math.max(this.#deps.clock.nowMs(), startMs);
    for (const window of windows) this.#count(window);
    const endMs = this.#windowStartMs;
    this.#closing = this.#closing.then(() => this.#tell(windows, startMs, endMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    this.closeWindow();
    await this.#closing;
  }

  /** An empty window of what serves, when nothing was told for a while. */
  #quietWindow(): ReleaseWindow[] {
    const { serving, clock } = this.#deps;
    const release = serving.active?.release;
    if (release === undefined || clock.monotonicMs() - this.#lastToldMs < QUIET_INTERVAL_MS) return [];
    return [{ release, ...NOTHING }];
  }

  async #tell(windows: readonly ReleaseWindow[], windowStartMs: number, windowEndMs: number): Promise<void> {
    const { keeper, probe, serving, clock, logger } = this.#deps;
    if (windows.length === 0) return;
    this.#lastToldMs = clock.monotonicMs();
    try {
      const { cpuLoadPct, memoryUsedBytes, temperatureC } = await probe.snapshot();
      const workerRssBytes = await serving.activeRssBytes();
      const system = { cpuLoadPct, memoryUsedBytes, temperatureC, workerRssBytes };
      await keeper.change((state) =>
        windows.reduce((next, window) => {
          const release = asCommitted(window.release, state);
          const body: TelemetryBody = { windowStartMs, windowEndMs, ...window, release, system };
          return withTelemetry(next, body);
        }, state),
      );
    } catch (error) {
      logger.warn('a telemetry window is lost', { error });
    }
  }

  #count({ release, latency, ...window }: ReleaseWindow): void {
    const key = `${release.model}/${release.version}/${release.weightsSha256}`;
    const before = this.#totals;
    this.#totals = {
      requests: before.requests + window.requests,
      errors: before.errors + window.errors,
      rejected: before.rejected + window.rejected,
      labelled: before.labelled + window.labelled,
      correct: before.correct + window.correct,
      latency: this.#latencyOf === key ? mergeSketches([before.latency, latency]) : latency,
    };
    this.#latencyOf = key;
  }
}

/** A release was loaded before it was put in service; since when it serves is in the journal. */
function asCommitted(release: RunningRelease, state: JournalState): RunningRelease {
  const active = activeRelease(state);
  return active !== null && isRunning(release, active.manifest) ? active.running : release;
}
