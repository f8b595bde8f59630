// Signs metadata anew before it expires: at once when it is started, then every ten minutes, one run at a time.

import { schedule } from 'node-cron';
import type { Logger } from '../logger.ts';
import { SerialQueue } from './serial-queue.ts';

const EVERY_TEN_MINUTES = '*/10 * * * *';

export interface ResignDeps {
  readonly image: { resign(): Promise<boolean> };
  readonly director: { resignExpiring(): Promise<number> };
  readonly log: Logger;
}

/** A run that fails is logged and tried again at the next time. Disposing waits for a run under way. */
export function startResigning({ image, director, log }: ResignDeps): AsyncDisposable {
  const queue = new SerialQueue();
  const attempt = async (what: string, work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      log.error(`${what} could not be signed anew`, { error });
    }
  };
  const run = () =>
    queue.run(async () => {
      await attempt('the Image repository', () => image.resign());
      await attempt('the Director', () => director.resignExpiring());
    });
  const task = schedule(EVERY_TEN_MINUTES, run, { name: 'trust-resign', noOverlap: true });
  const first = run();
  return {
    async [Symbol.asyncDispose]() {
      await task.destroy();
      await first;
      await queue.idle();
    },
  };
}
