// Time and chance as the supervisor sees them; a virtual one runs a fleet in one process.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Unix time in ms; may jump. Only for what people and other machines read. */
  nowMs(): number;
  /** Monotonic ms; for durations and deadlines. */
  monotonicMs(): number;
  after(delayMs: number, action: () => void): Timer;
}

export interface Chance {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** A fresh name, unique over boots. */
  id(): string;
}
