// The parent's side of the process that runs models: asks it, and starts another where one ended.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MissingPart } from '../subject.ts';
import type { JudgeAnswer, Judged, JudgeRequest, Opened } from './messages.ts';

type OpenRequest = Extract<JudgeRequest, { kind: 'open' }>;

export class Judge implements AsyncDisposable {
  readonly opened: Opened;
  readonly #request: OpenRequest;
  #child: ChildProcess;

  private constructor(request: OpenRequest, child: ChildProcess, opened: Opened) {
    this.#request = request;
    this.#child = child;
    this.opened = opened;
  }

  /** Throws MissingPart where this machine lacks what the subject needs. */
  static async open(request: OpenRequest): Promise<Judge> {
    const child = start();
    try {
      return new Judge(request, child, (await ask(child, request)) as Opened);
    } catch (error) {
      await ended(child);
      throw error;
    }
  }

  /** Throws what the model made of the process: it does not load or run, or ended it. */
  async judge(path: string): Promise<Judged> {
    if (!isAlive(this.#child)) {
      this.#child = start();
      await ask(this.#child, this.#request);
    }
    return (await ask(this.#child, { kind: 'judge', path })) as Judged;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ended(this.#child);
  }
}

function start(): ChildProcess {
  return fork(fileURLToPath(import.meta.resolve('#test/bench/compress/judge/main.ts')), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

async function ask(child: ChildProcess, request: JudgeRequest): Promise<Opened | Judged> {
  const over = new AbortController();
  const answered = once(child, 'message', { signal: over.signal }).then(([answer]) => answer as JudgeAnswer);
  const died = once(child, 'exit', { signal: over.signal }).then(
    ([code, signal]: unknown[]): JudgeAnswer => ({
      failed: `the process that ran the model ended: ${String(signal ?? code)}`,
    }),
  );
  child.send(request);
  const answer = await Promise.race([answered, died]);
  over.abort();
  await Promise.allSettled([answered, died]);
  if ('value' in answer) return answer.value;
  throw 'missing' in answer ? new MissingPart(answer.missing) : new Error(answer.failed);
}

async function ended(child: ChildProcess): Promise<void> {
  if (!isAlive(child)) return;
  const exit = once(child, 'exit');
  child.disconnect();
  await exit;
}
