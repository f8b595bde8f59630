// One worker process as the supervisor holds it: calls over frames, answers by id. Invariants: every call
// is settled, at the latest when the process ends; a process that hangs, takes too much memory or talks nonsense
// is killed.

import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { HoldfastError } from '#protocol/errors.ts';
import type { MeasuredTiming } from '#protocol/measurement.ts';
import type { GoldenTolerance } from '#protocol/model-contract.ts';
import type {
  GoldenResult,
  InferRequest,
  InferResult,
  LoadRequest,
  LoadResult,
  TimeRequest,
  WorkerHandle,
} from '../ports/runtime.ts';
import { encodeFrame, FrameReader, type Frame, type Tensors } from '../worker/frames.ts';
import {
  errorOf,
  monotonicNowMs,
  type InferSummary,
  type WorkerAnswer,
  type WorkerCall,
} from '../worker/worker-messages.ts';
import { bytesInWords } from '../domain/bytes-in-words.ts';
import { MemoryWatch, memoryLimitOf } from './worker-process-memory.ts';
import type { StderrLines } from './worker-process-stderr.ts';
import { HangWatchdog, type WatchdogLimits } from './worker-process-watchdog.ts';

/** Calls that may take long before a word comes. */
const PREPARATIONS: ReadonlySet<WorkerCall['kind']> = new Set(['load', 'warm-up', 'golden', 'time']);

interface Pending {
  readonly isPreparation: boolean;
  readonly resolve: (answer: { result: unknown; tensors: Tensors }) => void;
  readonly reject: (error: Error) => void;
}

export class WorkerProcess implements WorkerHandle {
  readonly pid: number;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Resolves with the worker's first frame; rejects when the process ends before. */
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #stderr: StderrLines;
  readonly #watchdog: HangWatchdog;
  readonly #memory: MemoryWatch;
  readonly #pending = new Map<number, Pending>();
  readonly #becomeReady = Promise.withResolvers<void>();
  #nextId = 1;
  /** Why no call can be made any more. */
  #ended: HoldfastError | null = null;

  /** `socket` is the supervisor's end of the child's file descriptor 3. */
  constructor(
    child: ChildProcess & { readonly pid: number },
    socket: Socket,
    stderr: StderrLines,
    limits: WatchdogLimits,
  ) {
    this.pid = child.pid;
    this.#child = child;
    this.#socket = socket;
    this.#stderr = stderr;
    this.#watchdog = new HangWatchdog(limits, (silentMs) => this.#hang(silentMs));
    this.#memory = new MemoryWatch(child.pid, (resident, limit) => this.#outgrow(resident, limit));
    this.ready = this.#becomeReady.promise;
    this.exited = new Promise((resolve) => {
      // `close` comes after the pipes are drained, so the last words on standard error are known.
      child.once('close', (code, signal) => {
        this.#end(new HoldfastError('worker-crashed', this.#obituary(code, signal)));
        resolve({ code, signal });
      });
    });
    const reader = new FrameReader((frame) => this.#answer(frame));
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (cause) {
        this.#end(new HoldfastError('worker-crashed', 'the worker sent a malformed frame', { cause }));
        this.kill();
      }
    });
    socket.on('error', () => this.kill());
    socket.on('close', () => this.kill());
  }

  async load(request: LoadRequest): Promise<LoadResult> {
    this.#memory.limitTo(memoryLimitOf(request.profile));
    return (await this.#call({ kind: 'load', request })).result as LoadResult;
  }

  async warmUp(rounds: number): Promise<number> {
    return (await this.#call({ kind: 'warm-up', rounds })).result as number;
  }

  async golden(goldenPath: string, tolerance: GoldenTolerance): Promise<GoldenResult> {
    return (await this.#call({ kind: 'golden', goldenPath, tolerance })).result as GoldenResult;
  }

  async time(request: TimeRequest): Promise<MeasuredTiming> {
    return (await this.#call({ kind: 'time', request })).result as MeasuredTiming;
  }

  async infer({ inputs, deadlineMs }: InferRequest): Promise<InferResult> {
    const { result, tensors } = await this.#call(
      { kind: 'infer', deadlineAtMs: monotonicNowMs() + deadlineMs },
      inputs,
    );
    return { ...(result as InferSummary), outputs: tensors };
  }

  async rssBytes(): Promise<number> {
    return (await this.#call({ kind: 'rss' })).result as number;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.exited;
  }

  #call(call: WorkerCall, tensors?: Tensors): Promise<{ result: unknown; tensors: Tensors }> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    const parts = encodeFrame({ id, ...call }, tensors);
    const isPreparation = PREPARATIONS.has(call.kind);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { isPreparation, resolve, reject });
      this.#watchdog.began(isPreparation);
      this.#socket.cork();
      for (const part of parts) this.#socket.write(part);
      this.#socket.uncork();
    });
  }

  #answer({ message, tensors }: Frame): void {
    const answer = message as WorkerAnswer;
    if (answer.kind === 'ready') return this.#becomeReady.resolve();
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    this.#pending.delete(answer.id);
    const latencyMs =
      answer.kind === 'done' && !pending.isPreparation
        ? (answer.result as Partial<InferSummary>).latencyMs
        : undefined;
    this.#watchdog.ended(pending.isPreparation, latencyMs ?? null);
    if (answer.kind === 'done') pending.resolve({ result: answer.result, tensors });
    else pending.reject(errorOf(answer.failure));
  }

  #hang(silentMs: number): void {
    this.#end(
      new HoldfastError(
        'worker-hung',
        `the worker gave no answer for ${Math.round(silentMs)} ms and was killed`,
      ),
    );
    this.kill();
  }

  #outgrow(residentBytes: number, limitBytes: number): void {
    const used = `the worker held ${bytesInWords(residentBytes)} of memory and was killed`;
    this.#end(
      new HoldfastError('memory-short', `${used}; on this device it may hold ${bytesInWords(limitBytes)}`, {
        hint: 'send smaller inputs, or compress the model further',
      }),
    );
    this.kill();
  }

  #end(error: HoldfastError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#watchdog[Symbol.dispose]();
    this.#memory[Symbol.dispose]();
    this.#socket.destroy();
    this.#becomeReady.reject(error);
    this.ready.catch(() => undefined); // told to whoever awaits `ready`, and to every pending call
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }

  #obituary(code: number | null, signal: NodeJS.Signals | null): string {
    const how = signal === null ? `with code ${code}` : `by ${signal}`;
    const tail = this.#stderr.tail;
    return `the worker process ended ${how}${tail === '' ? '' : `: ${tail.slice(-500)}`}`;
  }
}
