// Workers without a process, for tests of what is done with them: every call waits until the test ends it.
// Kept honest by test/contract/agent/runtime.test.ts, which runs against the real one too.

import { HoldfastError } from '#protocol/errors.ts';
import type { MeasuredTiming } from '#protocol/measurement.ts';
import type {
  GoldenResult, InferRequest, InferResult, LoadRequest, LoadResult, Runtime, TimeRequest, WorkerHandle,
  WorkerRole,
} from '#agent/ports/runtime.ts'; // prettier-ignore

export interface ScriptedCall {
  readonly request: InferRequest;
  resolve(result?: Partial<InferResult>): void;
  reject(error: HoldfastError): void;
}

let nextPid = 1;

export class ScriptedWorker implements WorkerHandle {
  readonly pid = nextPid++;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  /** Inferences begun and not ended, oldest first. */
  readonly calls: ScriptedCall[] = [];
  /** When set, inferences are answered at once, or when the promise it gives resolves. */
  auto: ((request: InferRequest) => Partial<InferResult> | Promise<Partial<InferResult>>) | null = null;
  /** When set, timing lasts until the process ends. */
  isSlow = false;
  readonly role: WorkerRole;
  loaded: LoadRequest | null = null;
  readonly #end = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  readonly #pending = new Set<(error: HoldfastError) => void>();
  #ended: HoldfastError | null = null;
  readonly #arrivals: (() => void)[] = [];

  constructor(role: WorkerRole = 'a') {
    this.role = role;
    this.exited = this.#end.promise;
  }

  get isAlive(): boolean {
    return this.#ended === null;
  }

  load(request: LoadRequest): Promise<LoadResult> {
    this.loaded = request;
    return this.#answer({ executionProvider: 'cpu', loadMs: 1, rssBytes: 1_000 });
  }

  warmUp(): Promise<number> {
    return this.#answer(1);
  }

  golden(): Promise<GoldenResult> {
    return this.#answer({ count: 1, maxAbs: 0, top1Agreement: 1, finite: true, passed: true });
  }

  time(request: TimeRequest): Promise<MeasuredTiming> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const timing = { runs: request.limitMs > 0 ? request.runs : 1, p50Ms: 1, p95Ms: 2, memoryBytes: 1_000 };
    if (!this.isSlow) return Promise.resolve(timing);
    return new Promise((_resolve, reject) => this.#pending.add(reject));
  }

  rssBytes(): Promise<number> {
    return this.#answer(1_000);
  }

  infer(request: InferRequest): Promise<InferResult> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    if (this.auto !== null) return Promise.resolve(this.auto(request)).then(whole);
    return new Promise((resolve, reject) => {
      const settled = (): void => {
        this.calls.splice(this.calls.indexOf(call), 1);
        this.#pending.delete(fail);
      };
      const fail = (error: HoldfastError): void => {
        settled();
        reject(error);
      };
      const call: ScriptedCall = {
        request,
        resolve: (result = {}) => {
          settled();
          resolve(whole(result));
        },
        reject: (error) => fail(error),
      };
      this.calls.push(call);
      this.#pending.add(fail);
      for (const tell of this.#arrivals.splice(0)) tell();
    });
  }

  /** Resolves once `count` inferences wait at the same time. */
  async busyWith(count: number): Promise<ScriptedCall[]> {
    while (this.calls.length < count) await new Promise<void>((resolve) => this.#arrivals.push(resolve));
    return [...this.calls];
  }

  kill(): void {
    this.die(new HoldfastError('worker-crashed', 'the worker process ended by SIGKILL'));
  }

  /** The process ends; pending calls reject with the error. */
  die(error: HoldfastError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    for (const reject of this.#pending) reject(error);
    this.#end.resolve({ code: null, signal: 'SIGKILL' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.exited;
  }

  #answer<T>(value: T): Promise<T> {
    return this.#ended === null ? Promise.resolve(value) : Promise.reject(this.#ended);
  }
}

export class ScriptedRuntime implements Runtime {
  readonly workers: ScriptedWorker[] = [];
  /** Called with each worker before it is handed out; may throw to fail the start. */
  prepare: (worker: ScriptedWorker) => void = () => undefined;
  readonly #arrivals: (() => void)[] = [];

  async spawn(role: WorkerRole = 'a'): Promise<ScriptedWorker> {
    const worker = new ScriptedWorker(role);
    this.prepare(worker);
    this.workers.push(worker);
    for (const tell of this.#arrivals.splice(0)) tell();
    return await Promise.resolve(worker);
  }

  /** The n-th worker ever started, from 0; waits for it. */
  async worker(index: number): Promise<ScriptedWorker> {
    while (this.workers.length <= index) await new Promise<void>((resolve) => this.#arrivals.push(resolve));
    return this.workers[index] as ScriptedWorker;
  }
}

function whole(result: Partial<InferResult>): InferResult {
  return { outputs: {}, classes: [], latencyMs: 5, runMs: 4, finite: true, ...result };
}
