// One call to the worker, carried out on its model.

import { HoldfastError } from '#protocol/errors.ts';
import type { LoadRequest, LoadResult } from '../ports/runtime.ts';
import type { Tensors } from './frames.ts';
import { countPhysicalCores, intraOpThreads } from './physical-cores.ts';
import { SlotModel } from './slot-model.ts';
import { timeRuns } from './time-runs.ts';
import { monotonicNowMs, type InferSummary, type WorkerCall } from './worker-messages.ts';

export interface CallOutcome {
  readonly result: unknown;
  readonly tensors?: Tensors;
}

export class CallHandler {
  #model: SlotModel | null = null;

  async handle(call: WorkerCall, tensors: Tensors): Promise<CallOutcome> {
    switch (call.kind) {
      case 'load':
        return { result: await this.#load(call.request) };
      case 'warm-up':
        return { result: await this.#loaded().warmUp(call.rounds) };
      case 'golden':
        return { result: await this.#loaded().golden(call.goldenPath, call.tolerance) };
      case 'infer':
        return await this.#infer(tensors, call.deadlineAtMs);
      case 'time':
        return { result: await timeRuns(this.#loaded(), call.request) };
      case 'rss':
        return { result: process.memoryUsage.rss() };
    }
  }

  async #load(request: LoadRequest): Promise<LoadResult> {
    const startMs = performance.now();
    await this.#model?.release();
    this.#model = null;
    const threads = intraOpThreads(countPhysicalCores());
    const { model, executionProvider } = await SlotModel.load(request, threads);
    this.#model = model;
    return { executionProvider, loadMs: performance.now() - startMs, rssBytes: process.memoryUsage.rss() };
  }

  async #infer(inputs: Tensors, deadlineAtMs: number): Promise<CallOutcome> {
    const { outputs, classes, latencyMs, runMs, finite } = await this.#loaded().infer(inputs, () => {
      if (monotonicNowMs() > deadlineAtMs) {
        throw new HoldfastError('deadline-exceeded', 'the deadline passed before the model could run');
      }
    });
    const summary: InferSummary = { classes, latencyMs, runMs, finite };
    return { result: summary, tensors: outputs };
  }

  #loaded(): SlotModel {
    if (this.#model === null) throw new HoldfastError('not-serving', 'this worker has no model loaded');
    return this.#model;
  }
}
