import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HangWatchdog } from '#agent/adapters/worker-process-watchdog.ts';

const LIMITS = { floorMs: 10_000, preparationMs: 180_000 };

describe('the hang watchdog', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('allows 20 times the p99 of recent latencies, and never less than its floor', () => {
    const watchdog = new HangWatchdog(LIMITS, () => undefined);
    expect(watchdog.limitMs()).toBe(10_000);
    for (let i = 0; i < 98; i++) answered(watchdog, 5);
    expect(watchdog.limitMs()).toBe(10_000);
    for (let i = 0; i < 2; i++) answered(watchdog, 2_000);
    expect(watchdog.limitMs()).toBe(40_000);
    for (let i = 0; i < 256; i++) answered(watchdog, 5);
    expect(watchdog.limitMs()).toBe(10_000);
  });

  it('counts silence from the last sign of life, not from the call', () => {
    const hung = vi.fn<(silentMs: number) => void>();
    const watchdog = new HangWatchdog(LIMITS, hung);
    watchdog.began(false);
    watchdog.began(false);
    vi.advanceTimersByTime(9_000);
    watchdog.ended(false, null);
    vi.advanceTimersByTime(9_999);
    expect(hung).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(hung).toHaveBeenCalledExactlyOnceWith(10_000);
  });

  it('is quiet while nothing is pending, and wakes again with the next call', () => {
    const hung = vi.fn<(silentMs: number) => void>();
    const watchdog = new HangWatchdog(LIMITS, hung);
    answered(watchdog, 5);
    vi.advanceTimersByTime(600_000);
    expect(hung).not.toHaveBeenCalled();
    watchdog.began(false);
    vi.advanceTimersByTime(10_001);
    expect(hung).toHaveBeenCalledOnce();
  });

  it('gives a load its own time', () => {
    const hung = vi.fn<(silentMs: number) => void>();
    const watchdog = new HangWatchdog(LIMITS, hung);
    watchdog.began(true);
    vi.advanceTimersByTime(179_000);
    expect(hung).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_001);
    expect(hung).toHaveBeenCalledOnce();
  });
});

function answered(watchdog: HangWatchdog, latencyMs: number): void {
  watchdog.began(false);
  watchdog.ended(false, latencyMs);
}
