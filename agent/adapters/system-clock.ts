// The machine's own time and chance. A timer keeps the process alive until it fires or is cancelled.

import { randomBytes, randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Chance, Clock } from '../ports/clock.ts';

/** Longest delay setTimeout takes; a longer one is waited in parts. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, action) {
    let handle: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const partMs = Math.min(Math.max(leftMs, 0), MAX_TIMEOUT_MS);
      handle = setTimeout(() => (leftMs > partMs ? wait(leftMs - partMs) : action()), partMs);
    };
    wait(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

export const systemChance: Chance = {
  uniform: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  id: () => randomUUID(),
};
