// A slot's inference process as the supervisor sees it. The process can be killed or die at any time;
// every pending call then rejects with `worker-crashed` (or `worker-hung`), and `exited` resolves.

import type { MeasuredTiming } from '#protocol/measurement.ts';
import type { GoldenTolerance, ModelContract, TensorDtype } from '#protocol/model-contract.ts';
import type { DeviceProfile } from '#protocol/profile.ts';

export interface Tensor {
  readonly dtype: TensorDtype | 'BYTES';
  readonly shape: readonly number[];
  /** Raw little-endian bytes; for BYTES the elements each with a 4-byte little-endian length before it. */
  readonly data: Uint8Array;
}

export interface InferRequest {
  /** Either the model's own inputs by name, or one encoded or raw image under the name `image`. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly deadlineMs: number;
}

export interface ClassScore {
  readonly index: number;
  readonly label: string;
  readonly score: number;
}

export interface InferResult {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Best classes first; empty when the contract has no classification. */
  readonly classes: readonly ClassScore[];
  /** Whole service time in the worker and the part of it in the model, ms. */
  readonly latencyMs: number;
  readonly runMs: number;
  /** False when any output element is NaN or infinite. */
  readonly finite: boolean;
}

export interface GoldenResult {
  readonly count: number;
  readonly maxAbs: number;
  readonly top1Agreement: number;
  readonly finite: boolean;
  readonly passed: boolean;
}

export interface LoadRequest {
  readonly weightsPath: string;
  readonly contract: ModelContract;
  readonly profile: DeviceProfile;
  /** Golden vectors to take an example input from when the contract leaves input sizes open. */
  readonly goldenPath?: string;
}

export interface LoadResult {
  /** Execution provider that really runs the model. */
  readonly executionProvider: string;
  readonly loadMs: number;
  readonly rssBytes: number;
}

export interface TimeRequest {
  /** Its inputs are run in turn. */
  readonly goldenPath: string;
  readonly runs: number;
  /** Time after which no further run begins, ms; there is always one. */
  readonly limitMs: number;
}

/** A slot's process, or the one that times a candidate beside them. */
export type WorkerRole = 'a' | 'b' | 'measure';

export interface WorkerHandle extends AsyncDisposable {
  readonly pid: number;
  /** How and when the process ended, whoever ended it. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  load(request: LoadRequest): Promise<LoadResult>;
  /** Runs the model on synthetic or golden inputs until latency settles; resolves to the last latency in ms. */
  warmUp(rounds: number): Promise<number>;
  golden(goldenPath: string, tolerance: GoldenTolerance): Promise<GoldenResult>;
  infer(request: InferRequest): Promise<InferResult>;
  /** Times runs of the model alone, without what prepares their inputs; memory is the process's highest. */
  time(request: TimeRequest): Promise<MeasuredTiming>;
  rssBytes(): Promise<number>;
  /** SIGKILL, now. */
  kill(): void;
}

export interface Runtime {
  /** Starts an inference process; it has no model yet. One that measures gives way to the others. */
  spawn(role: WorkerRole): Promise<WorkerHandle>;
}
