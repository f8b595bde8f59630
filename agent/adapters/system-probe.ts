// This machine by systeminformation, /sys and the file system. Only cheap calls, and each at most once a
// second, however often it is asked. What the machine does not have is null, never made up.

import { statfs } from 'node:fs/promises';
import { currentLoad, mem } from 'systeminformation';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { SystemProbe, SystemSnapshot } from '../ports/system-probe.ts';
import { findThrottleFiles, hottestC, readTogether } from './sysfs.ts';

const CACHE_MS = 1_000;
const THROTTLE_POLL_MS = 1_000;

export interface MachineProbeOptions {
  /** Whose disk is measured. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where sysfs is; /sys unless told. */
  readonly sysfsRoot?: string;
}

export class MachineProbe implements SystemProbe, Disposable {
  readonly #options: MachineProbeOptions;
  #cached: { readonly atMs: number; readonly snapshot: Promise<SystemSnapshot> } | null = null;
  #throttleFiles: readonly string[] = [];
  #throttleTold = '';
  #throttleEpoch = 0;
  #timer: Timer | null = null;
  #isDisposed = false;

  constructor(options: MachineProbeOptions) {
    this.#options = options;
  }

  /** Begins to watch for throttling, where the machine tells of it. */
  async start(): Promise<void> {
    this.#throttleFiles = await findThrottleFiles(this.#options.sysfsRoot);
    if (this.#throttleFiles.length === 0) return;
    this.#throttleTold = await readTogether(this.#throttleFiles);
    this.#armThrottle();
  }

  throttleEpoch(): number {
    return this.#throttleEpoch;
  }

  snapshot(): Promise<SystemSnapshot> {
    const atMs = this.#options.clock.monotonicMs();
    if (this.#cached === null || atMs - this.#cached.atMs >= CACHE_MS) {
      this.#cached = { atMs, snapshot: this.#measure() };
    }
    return this.#cached.snapshot;
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#timer?.cancel();
  }

  async #measure(): Promise<SystemSnapshot> {
    const [load, memory, temperatureC, disk] = await Promise.all([
      currentLoad(),
      mem(),
      hottestC(this.#options.sysfsRoot),
      statfs(this.#options.dataDir),
    ]);
    return {
      cpuLoadPct: Number.isFinite(load.currentLoad) ? Math.min(Math.max(load.currentLoad, 0), 100) : null,
      memoryUsedBytes: Math.round(memory.total - memory.available),
      // A container may have less than the machine.
      memoryAvailableBytes: Math.round(Math.min(memory.available, process.availableMemory())),
      temperatureC,
      diskFreeBytes: disk.bavail * disk.bsize,
      throttleEpoch: this.#throttleEpoch,
    };
  }

  #armThrottle(): void {
    if (this.#isDisposed) return;
    this.#timer = this.#options.clock.after(THROTTLE_POLL_MS, () => void this.#lookForThrottle());
  }

  async #lookForThrottle(): Promise<void> {
    const told = await readTogether(this.#throttleFiles);
    if (told !== this.#throttleTold) {
      this.#throttleEpoch++;
      this.#options.logger.info('the machine is throttled differently', { epoch: this.#throttleEpoch });
    }
    this.#throttleTold = told;
    this.#armThrottle();
  }
}
