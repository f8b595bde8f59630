// What supervisor and worker say to each other in the frames' messages. One answer a request, by id;
// the worker's first frame is `ready`, unasked.

import { ERROR_STATUS, HoldfastError, type ErrorCode } from '#protocol/errors.ts';
import type { GoldenTolerance } from '#protocol/model-contract.ts';
import type { ClassScore, LoadRequest, TimeRequest } from '../ports/runtime.ts';

export type WorkerCall =
  | { readonly kind: 'load'; readonly request: LoadRequest }
  | { readonly kind: 'warm-up'; readonly rounds: number }
  | { readonly kind: 'golden'; readonly goldenPath: string; readonly tolerance: GoldenTolerance }
  | { readonly kind: 'time'; readonly request: TimeRequest }
  /** Tensors travel beside it. `deadlineAtMs` is on the machine's monotonic clock (`monotonicNowMs`). */
  | { readonly kind: 'infer'; readonly deadlineAtMs: number }
  | { readonly kind: 'rss' };

export type WorkerRequest = WorkerCall & { readonly id: number };

/** An infer answer without its tensors. */
export interface InferSummary {
  readonly classes: readonly ClassScore[];
  readonly latencyMs: number;
  readonly runMs: number;
  readonly finite: boolean;
}

export interface WorkerFailure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: WorkerFailure };

/** Milliseconds on a clock that all processes of a machine share. */
export function monotonicNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function failureOf(error: unknown): WorkerFailure {
  if (error instanceof HoldfastError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

/** The worker's failure as the error it was; unknown codes become `internal`. */
export function errorOf(failure: WorkerFailure): HoldfastError {
  const code = Object.hasOwn(ERROR_STATUS, failure.code) ? (failure.code as ErrorCode) : 'internal';
  return new HoldfastError(code, failure.message, failure.hint === undefined ? {} : { hint: failure.hint });
}
