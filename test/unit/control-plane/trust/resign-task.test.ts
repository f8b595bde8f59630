import { expect, it, vi } from 'vitest';
import { createLogger } from '#control-plane/logger.ts';
import { startResigning } from '#control-plane/trust/resign-task.ts';

const log = (lines: string[] = []) =>
  createLogger({ level: 'error', write: (line) => void lines.push(line) });

it('signs anew at once, and again every ten minutes, one run at a time', async () => {
  vi.useFakeTimers({ now: Date.UTC(2030, 0, 1, 0, 1) });
  try {
    const gate = Promise.withResolvers<boolean>();
    const resign = vi.fn<() => Promise<boolean>>(() => gate.promise);
    const resignExpiring = vi.fn<() => Promise<number>>(() => Promise.resolve(0));
    await using _task = startResigning({ image: { resign }, director: { resignExpiring }, log: log() });
    await vi.advanceTimersByTimeAsync(0);
    expect(resign).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(25 * 60_000);
    expect(resign).toHaveBeenCalledTimes(1);
    gate.resolve(true);
    await vi.advanceTimersByTimeAsync(40 * 60_000);
    expect(resign.mock.calls.length).toBeGreaterThanOrEqual(4);
    expect(resignExpiring.mock.calls.length).toBe(resign.mock.calls.length);
  } finally {
    vi.useRealTimers();
  }
});

it('goes on with the Director when the Image repository fails, and says so', async () => {
  const lines: string[] = [];
  const resignExpiring = vi.fn<() => Promise<number>>(() => Promise.resolve(1));
  const image = { resign: () => Promise.reject(new Error('disk full')) };
  await startResigning({ image, director: { resignExpiring }, log: log(lines) })[Symbol.asyncDispose]();
  expect(resignExpiring).toHaveBeenCalledTimes(1);
  expect(lines.join()).toContain('the Image repository could not be signed anew');
});
