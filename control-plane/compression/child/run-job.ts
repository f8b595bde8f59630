// Runs one job in a child process, so that neither a long `session.run` nor a crash of native code reaches the
// control plane. Invariant: when the promise settles, the child is gone. The child gets no secrets: only the
// few environment variables that a process needs to start.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { HoldfastError } from '#protocol/errors.ts';
import { jobMessageSchema, type JobMessage, type JobProgress } from './job-messages.ts';
import { watchMemory } from './memory-watch.ts';

export interface JobLimits {
  readonly timeoutMs: number;
  /** Resident memory of the child, models and activations included. */
  readonly memoryBytes: number;
}

export interface JobOptions {
  readonly limits: JobLimits;
  readonly signal?: AbortSignal;
  readonly progress?: (progress: JobProgress) => void;
  /** The child's folder for temporary files; the system's by default. */
  readonly tempDir?: string;
}

export const DEFAULT_JOB_LIMITS: JobLimits = { timeoutMs: 30 * 60_000, memoryBytes: 8 * 1024 ** 3 };

const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'LD_LIBRARY_PATH', 'LANG'];
const STDERR_TAIL_CHARS = 4_000;

/**
 * Forks the module at `entry`, sends it `job` and resolves with its result. A job that is still being prepared is
 * waited for while the child starts; what its preparation throws is thrown. Throws what the job threw, or
 * `cancelled`, `deadline-exceeded`, `memory-short` or `worker-crashed`.
 */
export async function runJob(
  entry: string,
  job: object | Promise<object>,
  options: JobOptions,
): Promise<unknown> {
  if (options.signal?.aborted === true) throw cancelled();
  const child = fork(entry, [], {
    env: childEnvironment(options.tempDir),
    execArgv: [`--max-old-space-size=${Math.ceil(options.limits.memoryBytes / 1024 ** 2)}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'json',
  });
  const exited = once(child, 'close');
  try {
    return await outcome(child, job, options);
  } finally {
    child.kill('SIGKILL');
    if (child.pid !== undefined) await exited;
  }
}

function outcome(child: ChildProcess, job: object | Promise<object>, options: JobOptions): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const { limits, signal } = options;
  const onAbort = () => reject(cancelled());
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => reject(tooLong(limits)), limits.timeoutMs);
  const watch = watchMemory(child.pid ?? -1, limits.memoryBytes, (bytes) => reject(tooBig(bytes, limits)));
  const stderr = tailOf(child);
  child.on('message', (raw) => {
    const parsed = jobMessageSchema.safeParse(raw);
    if (!parsed.success) reject(crashed('it sent something that is no job message', stderr()));
    else settle(parsed.data, options, resolve, reject);
  });
  child.once('error', (cause) =>
    reject(crashed(`it could not be started or reached: ${cause.message}`, stderr())),
  );
  child.once('close', (code, killer) =>
    reject(crashed(`it ended with ${killer ?? `exit code ${code}`}`, stderr())),
  );
  Promise.resolve(job).then((ready) => child.connected && child.send({ job: ready }), reject);
  return promise.finally(() => {
    clearTimeout(timer);
    watch[Symbol.dispose]();
    signal?.removeEventListener('abort', onAbort);
  });
}

function settle(
  message: JobMessage,
  options: JobOptions,
  resolve: (result: unknown) => void,
  reject: (error: Error) => void,
): void {
  if (message.kind === 'done') return resolve(message.result);
  if (message.kind === 'progress') {
    const { phase, done, total } = message;
    return options.progress?.({ phase, done, total });
  }
  const { code, message: text, hint } = message;
  return reject(new HoldfastError(code, text, hint === undefined ? {} : { hint }));
}

function childEnvironment(tempDir: string | undefined): NodeJS.ProcessEnv {
  const passed = PASSED_ON.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  // A child is short-lived: most of its start would be compiling the same modules again.
  const compileCache = env['NODE_COMPILE_CACHE'] ?? join(tmpdir(), 'node-compile-cache');
  return {
    ...Object.fromEntries(passed),
    ...(tempDir === undefined ? {} : { TMPDIR: tempDir }),
    NODE_COMPILE_CACHE: compileCache,
    ORT_DISABLE_TELEMETRY: '1',
  };
}

function tailOf(child: ChildProcess): () => string {
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-STDERR_TAIL_CHARS);
  });
  return () => tail.trim();
}

const cancelled = () => new HoldfastError('cancelled', 'the job was cancelled');

const tooLong = (limits: JobLimits) =>
  new HoldfastError('deadline-exceeded', `the job did not end within ${limits.timeoutMs} ms`, {
    hint: 'use fewer samples, or allow more time',
  });

const tooBig = (bytes: number, limits: JobLimits) =>
  new HoldfastError('memory-short', `the job used ${bytes} bytes of memory, over its ${limits.memoryBytes}`, {
    hint: 'use a smaller model or batch, or allow more memory',
  });

const crashed = (how: string, stderr: string) =>
  new HoldfastError(
    'worker-crashed',
    `the job's process failed: ${how}${stderr === '' ? '' : `; it said: ${stderr}`}`,
    {
      hint: 'try again; a model that does this each time brings ONNX Runtime down',
    },
  );
