// A clock that stands still until the test moves it.

import type { Clock, Timer } from '#agent/ports/clock.ts';

interface Alarm {
  readonly atMs: number;
  readonly action: () => void;
}

export class ManualClock implements Clock {
  #atMs = 1_000_000;
  readonly #alarms = new Set<Alarm>();

  nowMs(): number {
    return this.#atMs;
  }

  monotonicMs(): number {
    return this.#atMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const alarm: Alarm = { atMs: this.#atMs + Math.max(0, delayMs), action };
    this.#alarms.add(alarm);
    return { cancel: () => void this.#alarms.delete(alarm) };
  }

  /** Timers that were set and neither fired nor cancelled. */
  get pendingTimers(): number {
    return this.#alarms.size;
  }

  /** Moves time on; what falls due fires in order, and whatever it set going is let run. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#atMs + byMs;
    for (;;) {
      const due = [...this.#alarms].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#alarms.delete(due);
      this.#atMs = Math.max(this.#atMs, due.atMs);
      due.action();
      await settled();
    }
    this.#atMs = untilMs;
    await settled();
  }
}

/** Lets every promise that can go on without time passing do so. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
