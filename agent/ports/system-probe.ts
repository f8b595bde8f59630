// What the machine says of itself: preflight and telemetry read it, and shadow pairs watch for throttling.

export interface SystemSnapshot {
  readonly cpuLoadPct: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryAvailableBytes: number;
  readonly temperatureC: number | null;
  readonly diskFreeBytes: number;
  /** Count of throttle changes seen so far; a pair that spans a change is dropped. */
  readonly throttleEpoch: number;
}

export interface SystemProbe {
  snapshot(): Promise<SystemSnapshot>;
  throttleEpoch(): number;
}
