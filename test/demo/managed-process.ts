// A real process of the demo: started, awaited by its ready line, killed with SIGKILL and started again.
// Invariants: it is ended only by its own process id; its log lines are told to listeners in order; who
// awaits its start gets the ready line of whichever run comes through.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
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
  #outcome = Promise.withResolvers<RegExpExecArray>();
  #isReady = false;
  #isReplaced = false;
  #isStopped = false;
  readonly #log: WriteStream;
  readonly #listeners = new Set<LineListener>();
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
    this.#spawn();
    return await this.#outcome.promise;
  }

  /** SIGKILL, wait for the end, start again; resolves once it is ready once more. */
  async killAndRestart(): Promise<void> {
    this.#isReplaced = true;
    await this.#end('SIGKILL');
    this.#isReplaced = false;
    if (this.#isStopped) return;
    if (this.#isReady) this.#outcome = Promise.withResolvers();
    this.#isReady = false;
    this.#spawn();
    await this.#outcome.promise;
  }

  /** Asks it to end, and kills it when it does not within ten seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#end('SIGTERM');
    this.#log.end();
  }

  #spawn(): void {
    const { entry, args, env, ready, readyTimeoutMs, name } = this.spec;
    const child = spawn(process.execPath, [entry, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      this.#fail(`${name} was not ready within ${readyTimeoutMs / 1_000} s`);
    }, readyTimeoutMs);
    child.once('error', (error) => this.#fail(`${name} cannot be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      if (!this.#isReplaced) this.#fail(`${name} ended (${signal ?? code}) before it was ready`);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = ready.exec(line);
      if (match !== null) {
        clearTimeout(timer);
        this.#isReady = true;
        this.#outcome.resolve(match);
      }
      this.#tell(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => this.#tell(line));
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

  /** Means nothing once the process has been ready. */
  #fail(what: string): void {
    this.#outcome.reject(
      new Error(`${what}; its last lines:\n${this.#tail.join('\n')}\n(all: ${this.spec.logPath})`),
    );
  }
}
