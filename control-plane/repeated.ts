// Work that is done again and again until it is disposed. Invariants: one run at a time, and a run that
// fails is logged and tried again at its next time.

import type { Logger } from './logger.ts';

export interface RepeatedWork {
  readonly name: string;
  readonly everyMs: number;
  readonly log: Logger;
  readonly run: () => Promise<unknown>;
}

/** The first run is `everyMs` from now. */
export function repeat({ name, everyMs, log, run }: RepeatedWork): AsyncDisposable {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= run()
      .then(
        () => undefined,
        (error: unknown) => log.error(`${name} failed`, { error }),
      )
      .finally(() => {
        running = null;
      });
  }, everyMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await running;
    },
  };
}
