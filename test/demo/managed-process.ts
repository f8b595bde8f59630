// A real process of the demo: started, awaited by its ready line, killed with SIGKILL and started again.
// Invariants: it is ended only by its own process id; its log lines are told to listeners in order.

import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface ProcessSpec {
  readonly name: string;
  readonly entry: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
  /** Matches the one line on stdout that says the process is ready. */
  readonly ready: RegExp;
  readonly readyTimeoutMs: number;
}

export type LineListener = (line: string, process: ManagedProcess) => void;

export class ManagedProcess implements AsyncDisposable {
  spec: ProcessSpec;
  #child: ChildProcess | null = null;
  #log: WriteStream;
  #listeners = new Set<LineListener>();
  #stopping = false;
  readonly #tail: string[] = [];

  constructor(spec: ProcessSpec) {
    this.spec = spec;
    this.#log = createWriteStream(spec.logPath, { flags: 'a' });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  onLine(listener: LineListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts the process and resolves to the match of its ready line. */
  async start(): Promise<RegExpExecArray> {
    const { entry, args, env, ready, readyTimeoutMs, name } = this.spec;
    const child = spawn(process.execPath, [entry, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const outcome = Promise.withResolvers<RegExpExecArray>();
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      outcome.reject(this.#failure(`${name} was not ready within ${readyTimeoutMs / 1000} s`));
    }, readyTimeoutMs);
    child.once('error', outcome.reject);
    child.once('exit', (code, signal) => {
      outcome.reject(this.#failure(`${name} ended (${signal ?? code}) before it was ready`));
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = ready.exec(line);
      if (match !== null) outcome.resolve(match);
      this.#tell(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => this.#tell(line));
    try {
      return await outcome.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** SIGKILL, wait for the end, start again; resolves once it is ready once more. */
  async killAndRestart(): Promise<void> {
    await this.#end('SIGKILL');
    if (!this.#stopping) await this.start();
  }

  /** Asks it to end, and kills it when it does not within ten seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await this.#end('SIGTERM');
    this.#log.end();
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  }

  #tell(line: string): void {
    this.#log.write(`${line}\n`);
    this.#tail.push(line);
    if (this.#tail.length > 20) this.#tail.shift();
    for (const listener of this.#listeners) listener(line, this);
  }

  #failure(what: string): Error {
    return new Error(
      `${what}; its last lines:\n${this.#tail.join('\n')}\n(all of them: ${this.spec.logPath})`,
    );
  }
}
