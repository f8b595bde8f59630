// Hands deployment reports to whoever follows them, one at a time and apart from ingest, so that a slow
// follower delays no acknowledgement. Of one order only the newest waiting report is handed on (its history
// is whole), which bounds what waits. Nothing is lost by a crash: the reports are stored before.

import type { DeploymentReport } from '#protocol/messages.ts';
import type { Logger } from '../logger.ts';
import { compareReports } from './deployment-news.ts';

export type DeploymentListener = (deviceId: string, report: DeploymentReport) => Promise<void>;

export class DeploymentFeed implements AsyncDisposable {
  readonly #logger: Logger;
  readonly #listeners = new Set<DeploymentListener>();
  readonly #waiting = new Map<string, { deviceId: string; report: DeploymentReport }>();
  #draining: Promise<void> | null = null;
  #isClosed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The returned function ends it. */
  subscribe(listener: DeploymentListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  push(deviceId: string, report: DeploymentReport): void {
    if (this.#isClosed) return;
    const key = `${deviceId} ${report.rolloutId} ${report.seq}`;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined && compareReports(report, waiting.report) < 0) return;
    this.#waiting.set(key, { deviceId, report });
    this.#draining ??= this.#drain();
  }

  /** Resolves once nothing waits. */
  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    // Lets a burst arrive before the first is taken.
    await Promise.resolve();
    for (let first = takeFirst(this.#waiting); first !== null; first = takeFirst(this.#waiting)) {
      for (const listener of this.#listeners) {
        try {
          await listener(first.deviceId, first.report);
        } catch (error) {
          const { rolloutId, seq } = first.report;
          this.#logger.error('a deployment report was not followed', {
            device: first.deviceId,
            rolloutId,
            seq,
            error,
          });
        }
      }
    }
    // In the same turn as the check above: a later push must start again.
    this.#draining = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#waiting.clear();
    await this.idle();
  }
}

function takeFirst<K, V>(map: Map<K, V>): V | null {
  for (const [key, value] of map) {
    map.delete(key);
    return value;
  }
  return null;
}
