// Notices a worker that does not answer. The limit for an inference is max(floor, 20 x p99 of the recent
// service times); a worker answers its calls one after another, so silence counts from its last sign of life.

const RECENT_LATENCIES = 256;
const LATENCY_FACTOR = 20;

export interface WatchdogLimits {
  /** Least time an inference or a question may take, ms. */
  readonly floorMs: number;
  /** Time a load, warm-up or golden run may take, ms. */
  readonly preparationMs: number;
}

export const DEFAULT_WATCHDOG_LIMITS: WatchdogLimits = { floorMs: 10_000, preparationMs: 180_000 };

export class HangWatchdog implements Disposable {
  readonly #limits: WatchdogLimits;
  readonly #onHang: (silentMs: number) => void;
  readonly #latenciesMs: number[] = [];
  #next = 0;
  #pending = 0;
  #preparations = 0;
  #silentSinceMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(limits: WatchdogLimits, onHang: (silentMs: number) => void) {
    this.#limits = limits;
    this.#onHang = onHang;
  }

  began(isPreparation: boolean): void {
    if (this.#pending++ === 0) this.#silentSinceMs = performance.now();
    if (isPreparation) this.#preparations++;
    // One timer runs while anything is pending and looks again when it fires: nothing is armed per call.
    this.#timer ??= setTimeout(() => this.#look(), this.#limits.floorMs).unref();
  }

  /** `latencyMs` is the service time of a successful inference. */
  ended(isPreparation: boolean, latencyMs: number | null): void {
    this.#pending--;
    if (isPreparation) this.#preparations--;
    this.#silentSinceMs = performance.now();
    if (latencyMs === null) return;
    this.#latenciesMs[this.#next] = latencyMs;
    this.#next = (this.#next + 1) % RECENT_LATENCIES;
  }

  /** What silence is allowed now, ms. */
  limitMs(): number {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    const p99Ms = sorted[Math.ceil(0.99 * sorted.length) - 1] ?? 0;
    const inferMs = Math.max(this.#limits.floorMs, LATENCY_FACTOR * p99Ms);
    return this.#preparations > 0 ? Math.max(inferMs, this.#limits.preparationMs) : inferMs;
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    this.#timer = null;
    if (this.#pending === 0) return;
    const silentMs = performance.now() - this.#silentSinceMs;
    const leftMs = this.limitMs() - silentMs;
    if (leftMs <= 0) this.#onHang(silentMs);
    else this.#timer = setTimeout(() => this.#look(), Math.ceil(leftMs)).unref();
  }
}
