import { HoldfastError } from '#protocol/errors.ts';
import type { Clock } from './clock.ts';

/** Waits on the given clock. Rejects with `cancelled` as soon as the signal is aborted. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = (): void => {
    timer.cancel();
    reject(new HoldfastError('cancelled', 'stopped while waiting', { cause: signal.reason }));
  };
  const timer = clock.after(delayMs, () => {
    signal.removeEventListener('abort', cancel);
    resolve();
  });
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return promise;
}
