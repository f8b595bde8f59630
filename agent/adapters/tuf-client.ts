// One TUF repository as this device trusts it. Each refresh runs on a copy of the newest generation; what
// proved good becomes the next one, even when a later step fails, so that nothing once seen is forgotten.
// Invariant: no generation is kept that goes back behind the memory, or that `accept` turns down.

import { isDeepStrictEqual } from 'node:util';
import type { Root, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import type { Fetcher } from 'tuf-js';
import { HoldfastError } from '#protocol/errors.ts';
import { tufError } from './tuf-errors.ts';
import { TufGenerations, readStaged } from './tuf-generations.ts';
import type { TrustedState } from './tuf-generations.ts';
import { ClockedUpdater } from './tuf-internals.ts';
import { memoryOf, regression } from './tuf-memory.ts';
import type { VersionMemory } from './tuf-memory.ts';

const LIMITS = {
  maxRootRotations: 256,
  maxDelegations: 32,
  rootMaxLength: 512_000,
  timestampMaxLength: 16_384,
  snapshotMaxLength: 2_000_000,
  targetsMaxLength: 5_000_000,
};
const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

export type SignedRole = Root | Timestamp | Snapshot | Targets;

export interface TufClientOptions {
  /** `image` or `director`, for messages. */
  readonly name: string;
  readonly directory: string;
  /** The root metadata that enrolment gave. */
  readonly anchor: Uint8Array;
  /** Ends with a slash. */
  readonly baseUrl: string;
  readonly fetcher: (signal: AbortSignal) => Fetcher;
  readonly now: () => Date;
  /** Throws for verified metadata that is not for this device. */
  readonly accept?: (signed: SignedRole) => void;
}

export interface TrustedTargets {
  readonly targets: Targets;
  /** The target that was asked for; undefined when nobody signed it. */
  readonly target: TargetFile | undefined;
}

export class TufClient {
  readonly #options: TufClientOptions;
  readonly #generations: TufGenerations;

  constructor(options: TufClientOptions) {
    this.#options = options;
    this.#generations = new TufGenerations(options.directory, options.anchor);
  }

  /** TUF 1.0 section 5. Not to be called again before it settled. Errors: HoldfastError with a `tuf-*` code. */
  async refresh(signal: AbortSignal, targetPath?: string): Promise<TrustedTargets> {
    try {
      const state = await this.#generations.load();
      return await this.#refreshFrom(state, signal, targetPath);
    } catch (error) {
      throw tufError(error, this.#options.name);
    } finally {
      await this.#generations.discard();
    }
  }

  async #refreshFrom(state: TrustedState, signal: AbortSignal, targetPath?: string): Promise<TrustedTargets> {
    const { baseUrl, fetcher, now } = this.#options;
    const metadataDir = await this.#generations.stage(state);
    const updater = new ClockedUpdater({
      metadataDir,
      metadataBaseUrl: baseUrl,
      fetcher: fetcher(signal),
      config: LIMITS,
      now: now(),
    });
    let failure: { error: unknown } | null = null;
    let target: TargetFile | undefined;
    try {
      await updater.refresh();
      if (targetPath !== undefined) target = await updater.findTarget(targetPath);
    } catch (error) {
      failure = { error };
    }
    const { root, timestamp, snapshot, targets } = updater.trusted;
    for (const metadata of [root, timestamp, snapshot, targets]) {
      if (metadata !== undefined) this.#assertAcceptable(metadata.signed);
    }
    const files = await readStaged(metadataDir);
    const memory = memoryOf(files);
    const wentBack = state.memory === null ? null : regression(state.memory, memory);
    if (failure !== null) {
      if (wentBack === null) await this.#keep(state, files, memory);
      throw failure.error;
    }
    if (wentBack !== null) throw rolledBack(this.#options.name, wentBack);
    await this.#keep(state, files, memory);
    if (targets === undefined) throw new HoldfastError('internal', 'a refresh ended without targets');
    return { targets: targets.signed, target };
  }

  async #keep(state: TrustedState, files: ReadonlyMap<string, Buffer>, memory: VersionMemory): Promise<void> {
    if (!state.isDamaged && state.generation > 0 && isDeepStrictEqual(files, state.files)) return;
    await this.#generations.commit(state, files, memory);
  }

  #assertAcceptable(signed: SignedRole): void {
    if (!UTC_TIME.test(signed.expires) || !Number.isSafeInteger(signed.version) || signed.version < 1) {
      throw new HoldfastError(
        'tuf-signature',
        `${this.#options.name} repository: metadata has no usable expiry or version`,
      );
    }
    this.#options.accept?.(signed);
  }
}

function rolledBack(name: string, what: string): HoldfastError {
  return new HoldfastError('tuf-rollback', `${name} repository: ${what}`, {
    hint: 'The server offers older metadata than this device has seen; restore its newest state.',
  });
}
