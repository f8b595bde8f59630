// The inference processes behind the plan: what serves, what is kept warm, and the candidate. Invariants:
// a process has one owner, this class until it is handed to serving; loading takes only verified bytes.

import { describeError } from '#protocol/errors.ts';
import type { RunningRelease } from '#protocol/messages.ts';
import type { DeviceProfile } from '#protocol/profile.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import type { Placed } from '../domain/plan.ts';
import type { ArtifactSource } from '../ports/artifact-source.ts';
import type { Clock } from '../ports/clock.ts';
import type { SlotName } from '../ports/journal.ts';
import type { Logger } from '../ports/logger.ts';
import type { LoadResult, Runtime, WorkerHandle } from '../ports/runtime.ts';
import type { ServedSlot } from './serving/serving-types.ts';
import type { Serving } from './serving/serving.ts';

const WARM_UP_ROUNDS = 5;
/** What is loaded was downloaded before; bytes that went bad since are asked for again, but not waited for. */
const TRIES = 2;

export interface SlotsDeps {
  readonly runtime: Runtime;
  readonly serving: Serving;
  readonly artifacts: ArtifactSource;
  readonly profile: DeviceProfile;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface LoadedSlot {
  readonly served: ServedSlot;
  readonly goldenPath: string;
  readonly loaded: LoadResult;
  /** Latency of the last warm-up run. */
  readonly warmUpMs: number;
}

interface Candidate extends LoadedSlot {
  readonly manifestSha256: string;
}

export class Slots implements AsyncDisposable {
  readonly #deps: SlotsDeps;
  #candidate: Candidate | null = null;
  #standby: ServedSlot | null = null;

  constructor(deps: SlotsDeps) {
    this.#deps = deps;
  }

  get candidate(): LoadedSlot | null {
    return this.#candidate;
  }

  /** Starts and warms the candidate's process; an older candidate ends first. Errors: the worker's own, download errors, cancelled. */
  async loadCandidate(
    slot: SlotName,
    release: { readonly manifest: ReleaseManifest; readonly manifestSha256: string },
    signal: AbortSignal,
  ): Promise<LoadedSlot> {
    await this.dropCandidate();
    const loaded = await this.#load(
      slot,
      release.manifest,
      runningOf(release.manifest, this.#deps.clock.nowMs()),
      signal,
    );
    this.#candidate = { ...loaded, manifestSha256: release.manifestSha256 };
    return loaded;
  }

  async dropCandidate(): Promise<void> {
    const candidate = this.#candidate;
    if (candidate === null) return;
    this.#candidate = null;
    await this.#deps.serving.dropCandidate();
    await candidate.served.worker[Symbol.asyncDispose]();
  }

  isServing(placed: Placed): boolean {
    return isSame(this.#deps.serving.active, placed);
  }

  /** Makes a release the one in service: by the warm process there is, else from disk. Does nothing when it already serves. */
  async serve(placed: Placed, signal: AbortSignal): Promise<void> {
    const { serving, logger } = this.#deps;
    if (this.isServing(placed)) return;
    if (isSame(serving.previous, placed)) {
      try {
        return await serving.swapBack();
      } catch (error) {
        logger.warn('the warm previous version could not take over; it is loaded again', { error });
      }
    }
    await serving.dropPrevious();
    await serving.swapTo(await this.#warmSlot(placed, signal));
  }

  /** Keeps a release warm to go back to, or nothing. */
  async keepStandby(placed: Placed | null, signal: AbortSignal): Promise<void> {
    const { serving } = this.#deps;
    if (placed === null || !isSame(serving.previous, placed)) await serving.dropPrevious();
    if (placed !== null && (isSame(serving.previous, placed) || isSame(this.#standby, placed))) return;
    await this.#dropStandby();
    if (placed === null) return;
    const { manifest, running } = placed.installed;
    this.#standby = (await this.#load(placed.slot, manifest, running, signal)).served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dropCandidate();
    await this.#dropStandby();
  }

  /** The candidate or the standby where it is the one asked for and still lives; loaded from disk otherwise. */
  async #warmSlot(placed: Placed, signal: AbortSignal): Promise<ServedSlot> {
    const { manifest, manifestBlob, running } = placed.installed;
    if (this.#candidate?.manifestSha256 === manifestBlob.sha256) {
      const { served } = this.#candidate;
      this.#candidate = null;
      return { ...served, slot: placed.slot, release: running };
    }
    const standby = this.#standby;
    if (standby !== null && isSame(standby, placed)) {
      this.#standby = null;
      const isAlive = await standby.worker.rssBytes().then(() => true, () => false); // prettier-ignore
      if (isAlive) return standby;
      await standby.worker[Symbol.asyncDispose]();
    }
    return (await this.#load(placed.slot, manifest, running, signal)).served;
  }

  async #load(
    slot: SlotName,
    manifest: ReleaseManifest,
    release: RunningRelease,
    signal: AbortSignal,
  ): Promise<LoadedSlot> {
    const { artifacts, runtime, profile, logger } = this.#deps;
    const weightsPath = await artifacts.fetch(manifest.variant.weights, { signal, tries: TRIES });
    const goldenPath = await artifacts.fetch(manifest.contract.golden, { signal, tries: TRIES });
    signal.throwIfAborted();
    const load = { weightsPath, goldenPath, contract: manifest.contract, profile };
    const worker = await runtime.spawn(slot);
    const kill = (): void => worker.kill();
    signal.addEventListener('abort', kill, { once: true });
    try {
      signal.throwIfAborted();
      const loaded = await worker.load(load);
      const warmUpMs = await worker.warmUp(WARM_UP_ROUNDS);
      logger.info('a release is loaded', {
        slot,
        version: release.version,
        pid: worker.pid,
        ...loaded,
        warmUpMs,
      });
      return { served: { slot, release, load, worker }, goldenPath, loaded, warmUpMs };
    } catch (error) {
      logger.warn('a release could not be loaded', { slot, version: release.version, error });
      await endQuietly(worker, logger);
      throw error;
    } finally {
      signal.removeEventListener('abort', kill);
    }
  }

  async #dropStandby(): Promise<void> {
    const standby = this.#standby;
    this.#standby = null;
    await standby?.worker[Symbol.asyncDispose]();
  }
}

/** A release as it runs on this device from a moment on. */
export function runningOf(manifest: ReleaseManifest, sinceMs: number): RunningRelease {
  return {
    model: manifest.model,
    version: manifest.version,
    profile: manifest.profile,
    weightsSha256: manifest.variant.weights.sha256,
    sinceMs,
  };
}

/** True for a release made from this manifest, whenever it began to run. */
export function isRunning(release: RunningRelease, manifest: ReleaseManifest): boolean {
  const { model, version, weightsSha256 } = runningOf(manifest, release.sinceMs);
  return release.model === model && release.version === version && release.weightsSha256 === weightsSha256;
}

function isSame(slot: Pick<ServedSlot, 'slot' | 'release'> | null, placed: Placed): boolean {
  return slot?.slot === placed.slot && isRunning(slot.release, placed.installed.manifest);
}

async function endQuietly(worker: WorkerHandle, logger: Logger): Promise<void> {
  try {
    await worker[Symbol.asyncDispose]();
  } catch (error) {
    logger.warn('an inference process did not end cleanly', { pid: worker.pid, error: describeError(error) });
  }
}
