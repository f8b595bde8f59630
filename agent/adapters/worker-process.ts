// Starts inference processes: this Node, the worker's entry, frames on file descriptor 3. The socket is a
// pair made by the kernel, so there is no path that another process could open. Invariant: no process is
// left behind; a worker ends with its supervisor, however that ends.

import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describeError, HoldfastError } from '#protocol/errors.ts';
import type { Runtime, WorkerHandle, WorkerRole } from '../ports/runtime.ts';
import { giveWay } from './give-way.ts';
import { WorkerProcess } from './worker-process-handle.ts';
import { StderrLines } from './worker-process-stderr.ts';
import { DEFAULT_WATCHDOG_LIMITS, type WatchdogLimits } from './worker-process-watchdog.ts';

/** Secrets of the supervisor's environment never reach a process that decodes strangers' images. */
const PASSED_ENVIRONMENT = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'TMPDIR',
  'LD_LIBRARY_PATH',
  'CUDA_VISIBLE_DEVICES',
  'SystemRoot',
  'TEMP',
];

export interface WorkerLogLine {
  readonly slot: WorkerRole;
  readonly pid: number;
  readonly text: string;
}

export interface ProcessRuntimeOptions {
  /** Lines that workers write on standard error, bounded. */
  readonly log: (line: WorkerLogLine) => void;
  readonly limits?: Partial<WatchdogLimits>;
  /** Time a process may take until it answers, ms. */
  readonly startLimitMs?: number;
}

export class ProcessRuntime implements Runtime, AsyncDisposable {
  readonly #options: ProcessRuntimeOptions;
  readonly #workers = new Set<WorkerProcess>();

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
  }

  /** Throws `worker-crashed` when the process does not come up. */
  async spawn(slot: WorkerRole): Promise<WorkerHandle> {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve('#agent/worker/main.ts'))], {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
      env: workerEnvironment(process.env),
      windowsHide: true,
    });
    if (!hasPid(child)) throw await startFailure(child);
    const { pid } = child;
    const stderr = new StderrLines(child.stderr as Readable, (text) =>
      this.#options.log({ slot, pid, text }),
    );
    const limits = { ...DEFAULT_WATCHDOG_LIMITS, ...this.#options.limits };
    const worker = new WorkerProcess(child, child.stdio[3] as Socket, stderr, limits);
    this.#workers.add(worker);
    void worker.exited.then(() => this.#workers.delete(worker));
    const timer = setTimeout(() => worker.kill(), this.#options.startLimitMs ?? 30_000);
    try {
      await worker.ready;
      if (slot === 'measure') await this.#makeGiveWay(worker);
    } finally {
      clearTimeout(timer);
    }
    return worker;
  }

  async #makeGiveWay({ pid }: WorkerProcess): Promise<void> {
    try {
      await giveWay(pid);
    } catch (error) {
      this.#options.log({ slot: 'measure', pid, text: `cannot give way: ${describeError(error)}` });
    }
  }

  /** Kills every worker and waits until they are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker[Symbol.asyncDispose]()));
  }
}

function workerEnvironment(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const passed = PASSED_ENVIRONMENT.flatMap((name) =>
    own[name] === undefined ? [] : [[name, own[name]] as const],
  );
  return { ...Object.fromEntries(passed), ORT_DISABLE_TELEMETRY: '1' };
}

function hasPid(child: ChildProcess): child is ChildProcess & { readonly pid: number } {
  return child.pid !== undefined;
}

async function startFailure(child: ChildProcess): Promise<HoldfastError> {
  const cause = await new Promise<Error>((resolve) => child.once('error', resolve));
  return new HoldfastError('worker-crashed', `cannot start a worker process: ${cause.message}`, {
    hint: 'free memory or raise the limit on processes',
    cause,
  });
}
