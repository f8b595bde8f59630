// A broker in its own process, and what the kernel says of that process's memory.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { LoneBrokerOptions } from './alone/main.ts';

const MAIN = new URL('./alone/main.ts', import.meta.url);

export class LoneBroker implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(options: LoneBrokerOptions): Promise<LoneBroker> {
    const child = fork(MAIN, { execArgv: [] });
    child.send(options);
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new LoneBroker(child, port);
  }

  /** Resident bytes now. */
  async residentBytes(): Promise<number> {
    return await this.#status('VmRSS');
  }

  /** The most that was resident since `forgetPeak`. */
  async peakBytes(): Promise<number> {
    return await this.#status('VmHWM');
  }

  async forgetPeak(): Promise<void> {
    // proc(5): 5 sets the peak resident set size to the present one.
    await writeFile(`/proc/${this.#child.pid}/clear_refs`, '5');
  }

  async #status(field: string): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8');
    const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
    if (kibibytes === undefined) throw new Error(`${field} is missing in /proc/<pid>/status`);
    return Number(kibibytes) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
