// Telemetry as the rest of the control plane uses it: windows in, series out, old windows deleted.

import { schedule, type ScheduledTask } from 'node-cron';
import type { Kysely } from 'kysely';
import type { TelemetrySeries } from '#protocol/api.ts';
import type { TelemetryBody } from '#protocol/messages.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store/database.ts';
import type { Database } from '../store/schema.ts';
import { SeriesSum } from './series.ts';
import { deleteWindows, insertWindow, windows, type TelemetryFilter } from './store.ts';

export interface TelemetryDeps {
  readonly store: Store;
  readonly logger: Logger;
  readonly nowMs: () => number;
  readonly retentionDays?: number;
}

const DAY_MS = 86_400_000;
const RETENTION_DAYS = 30;
/** Every night, local time of this machine. */
const SWEEP_AT = '17 3 * * *';

export class Telemetry implements AsyncDisposable {
  readonly #deps: TelemetryDeps;
  #task: ScheduledTask | null = null;

  constructor(deps: TelemetryDeps) {
    this.#deps = deps;
  }

  /** Deletes old windows now and then every night. */
  async start(): Promise<void> {
    await this.sweep();
    this.#task = schedule(SWEEP_AT, () => this.#sweepOrLog(), {
      name: 'telemetry-retention',
      noOverlap: true,
    });
  }

  /** Stores a window in the transaction that records its message as received; it has passed `windowProblem`. */
  storeWindow(trx: Kysely<Database>, deviceId: string, body: TelemetryBody): Promise<void> {
    return insertWindow(trx, deviceId, body);
  }

  async query(filter: TelemetryFilter): Promise<TelemetrySeries[]> {
    const sum = new SeriesSum();
    for await (const window of windows(this.#deps.store.db, filter)) sum.add(window);
    return sum.series();
  }

  /** Deletes windows older than the retention; resolves to how many. */
  async sweep(): Promise<number> {
    const { store, logger, nowMs, retentionDays = RETENTION_DAYS } = this.#deps;
    const deleted = await deleteWindows(store.db, nowMs() - retentionDays * DAY_MS);
    if (deleted > 0) logger.info('telemetry: old windows deleted', { windows: deleted, retentionDays });
    return deleted;
  }

  async #sweepOrLog(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      this.#deps.logger.error('telemetry: old windows were not deleted', { error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#task?.destroy();
  }
}
