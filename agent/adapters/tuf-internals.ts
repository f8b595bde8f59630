// The one file that reaches into tuf-js: a clock of ours instead of its own, the trusted set to read from,
// and the true cause behind its wrapped errors. It checks what it relies on and fails closed, so that a
// tuf-js that changed cannot pass unseen.

import type { TargetFile } from '@tufjs/models';
import { Updater } from 'tuf-js';
import type { Config, Fetcher } from 'tuf-js';
import { RuntimeError } from 'tuf-js/dist/error.js';
import { TrustedMetadataStore } from 'tuf-js/dist/store.js';
import { HoldfastError } from '#protocol/errors.ts';

export type TrustedMetadata = Pick<TrustedMetadataStore, 'root' | 'timestamp' | 'snapshot' | 'targets'>;

const VERIFYING_METHODS = [
  'updateRoot',
  'updateTimestamp',
  'updateSnapshot',
  'updateDelegatedTargets',
] as const;

export interface UpdaterOptions {
  /** Holds `root.json` and what was trusted before; files are written in place as they prove good. */
  readonly metadataDir: string;
  readonly metadataBaseUrl: string;
  readonly fetcher: Fetcher;
  readonly config: Partial<Config>;
  /** The moment that expiry is held against, for the whole refresh. */
  readonly now: Date;
}

export class ClockedUpdater {
  readonly trusted: TrustedMetadata;
  readonly #updater: Updater;
  /** The newest failure of a download or a check, cleared by the next success. */
  #lastFailure: unknown;

  constructor(options: UpdaterOptions) {
    const { metadataDir, metadataBaseUrl, config, now } = options;
    const fetcher = this.#recordFailures(options.fetcher, ['downloadBytes']);
    this.#updater = new Updater({ metadataDir, metadataBaseUrl, fetcher, config });
    const store: unknown = Reflect.get(this.#updater, 'trustedSet');
    if (!(store instanceof TrustedMetadataStore)) throw changed('the updater holds no trusted set');
    if (!(Reflect.get(store, 'referenceTime') instanceof Date))
      throw changed('the trusted set holds no time');
    Reflect.set(store, 'referenceTime', now);
    this.trusted = this.#recordFailures(store, VERIFYING_METHODS);
  }

  /** TUF 1.0 section 5.3 to 5.6. Throws the cause as tuf-js, the fetcher or the file system gave it. */
  async refresh(): Promise<void> {
    await this.#unwrapped(() => this.#updater.refresh());
  }

  /** TUF 1.0 section 5.6.7: the target as the most trusted delegation describes it. */
  async findTarget(path: string): Promise<TargetFile | undefined> {
    return await this.#unwrapped(() => this.#updater.getTargetInfo(path));
  }

  /** tuf-js turns the failures of two steps into a RuntimeError with their text alone. */
  async #unwrapped<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw error instanceof RuntimeError ? (this.#lastFailure ?? error) : error;
    }
  }

  #recordFailures<T extends object>(target: T, methods: readonly (keyof T & string)[]): T {
    for (const name of methods) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') throw changed(`there is no ${name}`);
      Reflect.set(target, name, (...args: unknown[]): unknown => {
        const settled = (result: unknown) => {
          this.#lastFailure = undefined;
          return result;
        };
        const failed = (error: unknown): never => {
          this.#lastFailure = error;
          throw error;
        };
        try {
          const result: unknown = Reflect.apply(method, target, args);
          return result instanceof Promise ? result.then(settled, failed) : settled(result);
        } catch (error) {
          return failed(error);
        }
      });
    }
    return target;
  }
}

function changed(what: string): HoldfastError {
  return new HoldfastError('internal', `tuf-js is not the version this agent was made for: ${what}`, {
    hint: 'Install the agent with its own lock file.',
  });
}
