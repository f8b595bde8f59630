// One simulated repository behind a real HTTP server, and the agent's TUF client that follows it, under a clock
// that tests set. Everything lies in one temporary folder.

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from 'undici';
import { TufClient } from '#agent/adapters/tuf-client.ts';
import type { TrustedTargets } from '#agent/adapters/tuf-client.ts';
import { TufFetcher } from '#agent/adapters/tuf-fetcher.ts';
import { START_MS, Simulator } from './simulator.ts';

export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void;

const FILE_TIMEOUT_MS = 500;

export class SimulatedWorld implements AsyncDisposable {
  readonly folder: string;
  readonly repository = new Simulator();
  /** Names asked for, in order: `metadata/…` and `targets/…`. */
  readonly requests: string[] = [];
  /** Answers instead of the repository, by such a name. */
  readonly misbehave = new Map<string, Misbehaviour>();
  readonly dispatcher = new Agent();
  nowMs = START_MS;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(folder: string) {
    this.folder = folder;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(): Promise<SimulatedWorld> {
    const world = new SimulatedWorld(await mkdtemp(join(tmpdir(), 'holdfast-simulated-')));
    await new Promise<void>((resolve) => {
      world.#server.listen(0, '127.0.0.1', resolve);
    });
    return world;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** A client of the repository as it was at its first root; all clients share their state. */
  client(options: { anchor?: Buffer; notBeforeMs?: number } = {}): TufClient {
    const baseUrl = `${this.url}metadata/`;
    return new TufClient({
      name: 'simulated',
      directory: join(this.folder, 'client'),
      anchor: this.repository.anchor,
      baseUrl,
      fetcher: (signal) =>
        new TufFetcher({ baseUrl, dispatcher: this.dispatcher, signal, timeoutMs: FILE_TIMEOUT_MS }),
      now: () => new Date(this.nowMs),
      ...options,
    });
  }

  refresh(...paths: string[]): Promise<TrustedTargets> {
    return this.client().refresh(new AbortController().signal, paths);
  }

  /** The targets roles (and nothing else) that a search asked the repository for, in order. */
  async searched(path: string): Promise<string[]> {
    await this.refresh();
    this.requests.length = 0;
    await this.refresh(path);
    return this.requests
      .map((name) => decodeURIComponent(/^metadata\/(?:\d+\.)?(.*)\.json$/.exec(name)?.[1] ?? ''))
      .filter((role) => !['root', 'timestamp', 'snapshot', 'targets'].includes(role));
  }

  /** Version of each trusted file, by role. */
  async trusted(): Promise<Record<string, number>> {
    const files = await this.client().trustedFiles();
    return Object.fromEntries(
      [...files].map(([name, bytes]) => {
        const { signed } = JSON.parse(bytes.toString('utf8')) as { signed: { version: number } };
        return [decodeURIComponent(name.slice(0, -'.json'.length)), signed.version];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispatcher.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
    await rm(this.folder, { recursive: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const name = (request.url ?? '').slice(1);
    this.requests.push(name);
    const misbehaviour = this.misbehave.get(name);
    if (misbehaviour !== undefined) return misbehaviour(request, response);
    const [folder, ...rest] = name.split('/');
    const path = rest.join('/');
    const bytes =
      folder === 'metadata'
        ? this.repository.files.get(path)
        : this.repository.artifacts.get(decodeURIComponent(path));
    response.statusCode = bytes === undefined ? 404 : 200;
    response.end(bytes);
  }
}
