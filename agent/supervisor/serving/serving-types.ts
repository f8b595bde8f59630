// What goes into and comes out of the serving path, and what it needs from outside.

import type { LatencySketch } from '#protocol/latency-sketch.ts';
import type { RunningRelease } from '#protocol/messages.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import type { ShadowPair } from '../../domain/shadow-judge.ts';
import type { Chance, Clock } from '../../ports/clock.ts';
import type { SlotName } from '../../ports/journal.ts';
import type { InferResult, LoadRequest, Runtime, Tensor, WorkerHandle } from '../../ports/runtime.ts';

/** A slot whose worker is loaded and warm. Serving owns the worker from the moment it is handed over. */
export interface ServedSlot {
  readonly slot: SlotName;
  readonly release: RunningRelease;
  /** How the worker was loaded; a crashed one is started again with it. */
  readonly load: LoadRequest;
  readonly worker: WorkerHandle;
}

/** A slot in service or kept warm, as others may see it. */
export type SlotInService = Pick<ServedSlot, 'slot' | 'release' | 'load'> & {
  /** `down` is being started again; `dead` crashed too often and `retired` is over: neither comes back. */
  readonly state: 'ready' | 'down' | 'dead' | 'retired';
};

export interface ServeRequest {
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Time the caller waits at most, ms; the limits' default when left out. */
  readonly deadlineMs?: number;
  /** The true label, when the caller knows it. */
  readonly groundTruth?: string;
}

export interface ServeAnswer {
  /** The release that really answered. */
  readonly release: RunningRelease;
  /** That release's contract. */
  readonly contract: ModelContract;
  readonly result: InferResult;
  /** From arrival to answer, waiting included, ms. */
  readonly latencyMs: number;
}

/** One finished request of the active slot, for the probation gate. Refused requests (bad input, full queue) are not told. */
export interface ServedOutcome {
  readonly release: RunningRelease;
  readonly slot: SlotName;
  readonly error: boolean;
  readonly deadlineMissed: boolean;
  readonly latencyMs: number;
}

export interface WorkerCrash {
  readonly release: RunningRelease;
  readonly slot: SlotName;
  readonly detail: string;
  /** Crashes of these weights within the crash window, this one included. */
  readonly recentCrashes: number;
}

/** Callbacks must not throw; they are called in order, synchronously. */
export interface ServingListener {
  outcome?(outcome: ServedOutcome): void;
  /** A worker died or hung; it is being started again unless `quarantined` follows or it was the candidate. */
  crashed?(crash: WorkerCrash): void;
  /** These weights crashed too often: they are not started again here. */
  quarantined?(crash: WorkerCrash): void;
}

export interface ShadowListener {
  pair(pair: ShadowPair): void;
  /** The candidate's process ended; no more pairs come. */
  lost(crash: WorkerCrash): void;
}

export interface ShadowRun {
  /** No more pairs are begun; the candidate stays loaded. */
  stop(): void;
}

/** Counts of one release since the last `takeWindow`. */
export interface ReleaseWindow {
  readonly release: RunningRelease;
  /** Requests that ended, in an answer or an error. */
  readonly requests: number;
  readonly errors: number;
  /** Requests refused because the queue was full. */
  readonly rejected: number;
  readonly labelled: number;
  readonly correct: number;
  /** From arrival to answer, of answered requests. */
  readonly latency: LatencySketch;
}

export interface ServingLimits {
  readonly queueLimit: number;
  readonly deadlineMs: number;
  /** No caller may ask for more time than this. */
  readonly maxDeadlineMs: number;
  /** Requests given to a worker at a time; the second waits in its socket so that it never idles. */
  readonly pipelineDepth: number;
  /** No pair is begun while more requests than this wait. */
  readonly shadowQueueLimit: number;
  readonly crashLimit: number;
  readonly crashWindowMs: number;
  /** Rounds of warm-up after a restart. */
  readonly warmUpRounds: number;
}

export const DEFAULT_SERVING_LIMITS: ServingLimits = {
  queueLimit: 64,
  deadlineMs: 10_000,
  maxDeadlineMs: 300_000,
  pipelineDepth: 2,
  shadowQueueLimit: 4,
  crashLimit: 5,
  crashWindowMs: 60_000,
  warmUpRounds: 3,
};

export interface ServingDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Count of throttle changes so far (SystemProbe.throttleEpoch). */
  readonly throttleEpoch: () => number;
  readonly listener: ServingListener;
}
