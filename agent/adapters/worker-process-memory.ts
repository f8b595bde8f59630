// Bounds what a worker may hold in memory, seen from outside: a model that allocates without end inside a native
// run answers no question. Reads /proc, so it bounds on Linux only. Invariant: told at most once.

import { readFileSync } from 'node:fs';
import type { DeviceProfile } from '#protocol/profile.ts';

const INTERVAL_MS = 100;
/** What decoding takes beside the model: two of the largest images, 64 megapixels of 4 bytes each. */
const INPUT_BYTES = 512 * 1024 ** 2;

/** Resident bytes that a worker may hold on a device of this class. */
export function memoryLimitOf({ budgets, memoryBytes }: DeviceProfile): number {
  return Math.min(memoryBytes, budgets.memoryBytes + INPUT_BYTES);
}

export class MemoryWatch implements Disposable {
  readonly #pid: number;
  readonly #onExceeded: (residentBytes: number, limitBytes: number) => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(pid: number, onExceeded: (residentBytes: number, limitBytes: number) => void) {
    this.#pid = pid;
    this.#onExceeded = onExceeded;
  }

  /** From now on more than this is too much. */
  limitTo(limitBytes: number): void {
    this[Symbol.dispose]();
    this.#timer = setInterval(() => {
      const residentBytes = residentBytesOf(this.#pid);
      if (residentBytes === null || residentBytes <= limitBytes) return;
      this[Symbol.dispose]();
      this.#onExceeded(residentBytes, limitBytes);
    }, INTERVAL_MS).unref();
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** Null where it cannot be read: another system, or the process is gone. */
function residentBytesOf(pid: number): number | null {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return null;
  }
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}
