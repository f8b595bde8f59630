// One TUF repository as this device trusts it. Each refresh runs on a copy of the newest generation; what
// proved good becomes the next one, even when a later step fails, so that nothing once seen is forgotten.
// Invariant: no generation is kept that goes back behind the memory, or that `accept` turns down.

import { isDeepStrictEqual } from 'node:util';
import type { Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import type { Fetcher } from 'tuf-js';
import { HoldfastError } from '#protocol/errors.ts';
import { tufError } from './tuf-errors.ts';
import { TufGenerations, readStaged } from './tuf-generations.ts';
import type { TrustedState } from './tuf-generations.ts';
import { ClockedUpdater } from './tuf-internals.ts';
import type { FoundTarget } from './tuf-internals.ts';
import { floorUnder, joinMemory, memoryOf, regression } from './tuf-memory.ts';
import type { VersionMemory } from './tuf-memory.ts';

const LIMITS = {
  maxRootRotations: 256,
  maxDelegations: 32,
  rootMaxLength: 512_000,
  timestampMaxLength: 16_384,
  snapshotMaxLength: 2_000_000,
  targetsMaxLength: 5_000_000,
};

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
  /** Now is never earlier than this, whatever the clock says, unix ms. */
  readonly notBeforeMs?: number;
  /** Throws for verified metadata that is not for this device. */
  readonly accept?: (signed: SignedRole) => void;
}

export interface TrustedTargets {
  readonly targets: Targets;
  /** Whether targets lie under names that begin with their hash (TUF 1.0 section 5.7.3). */
  readonly isConsistentSnapshot: boolean;
  /** Of the paths that were asked for, those that somebody signed. */
  readonly found: ReadonlyMap<string, FoundTarget>;
}

export class TufClient {
  readonly #options: TufClientOptions;
  readonly #generations: TufGenerations;

  constructor(options: TufClientOptions) {
    this.#options = options;
    this.#generations = new TufGenerations(options.directory, options.anchor);
  }

  /** What is trusted now, by file name; the anchor alone before the first refresh. */
  async trustedFiles(): Promise<ReadonlyMap<string, Buffer>> {
    return (await this.#generations.load()).files;
  }

  /** TUF 1.0 section 5. Not to be called again before it settled. Errors: HoldfastError with a `tuf-*` code. */
  async refresh(signal: AbortSignal, paths: readonly string[] = []): Promise<TrustedTargets> {
    try {
      const state = await this.#generations.load();
      return await this.#refreshFrom(state, signal, paths);
    } catch (error) {
      throw tufError(error, this.#options.name);
    } finally {
      await this.#generations.discard();
    }
  }

  async #refreshFrom(
    state: TrustedState,
    signal: AbortSignal,
    paths: readonly string[],
  ): Promise<TrustedTargets> {
    const { baseUrl, fetcher, now, notBeforeMs = 0 } = this.#options;
    const metadataDir = await this.#generations.stage(state);
    const updater = new ClockedUpdater({
      metadataDir,
      metadataBaseUrl: baseUrl,
      fetcher: fetcher(signal),
      config: LIMITS,
      now: now(),
      floorMs: (root) => Math.max(notBeforeMs, floorUnder(state.memory, root)),
    });
    let failure: { error: unknown } | null = null;
    const found = new Map<string, FoundTarget>();
    try {
      await updater.refresh();
      for (const path of paths) {
        const one = await updater.findTarget(path);
        if (one !== undefined) found.set(path, one);
      }
    } catch (error) {
      failure = { error };
    }
    const { root, timestamp, snapshot, targets } = updater.trusted;
    for (const metadata of [root, timestamp, snapshot, targets]) {
      if (metadata !== undefined) this.#options.accept?.(metadata.signed);
    }
    for (const { signed } of found.values()) this.#options.accept?.(signed);
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
    return { targets: targets.signed, isConsistentSnapshot: root.signed.consistentSnapshot, found };
  }

  async #keep(state: TrustedState, files: ReadonlyMap<string, Buffer>, memory: VersionMemory): Promise<void> {
    if (!state.isDamaged && state.generation > 0 && isDeepStrictEqual(files, state.files)) return;
    await this.#generations.commit(
      state,
      files,
      state.memory === null ? memory : joinMemory(state.memory, memory),
    );
  }
}

function rolledBack(name: string, what: string): HoldfastError {
  return new HoldfastError('tuf-rollback', `${name} repository: ${what}`, {
    hint: 'The server offers older metadata than this device has seen; restore its newest state.',
  });
}
