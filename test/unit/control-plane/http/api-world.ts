// A real HTTP server with the control plane's application, on a real database, with routes of the test's
// own choice.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApp } from '#control-plane/app.ts';
import { createApiTokens } from '#control-plane/http/api-tokens.ts';
import { createFailureLimit } from '#control-plane/http/authenticate.ts';
import { sessionRoutes } from '#control-plane/http/session-routes.ts';
import { createSessions } from '#control-plane/http/sessions.ts';
import type { ApiRouter } from '#control-plane/http/route.ts';
import { createLogger } from '#control-plane/logger.ts';
import type { Store } from '#control-plane/store/database.ts';
import type { Problem } from '#protocol/api.ts';
import { temporaryStore } from '#test/temporary-store.ts';

export type CallInit = Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> };

export interface ApiWorld extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly dataDir: string;
  readonly store: Store;
  /** What the server logged. */
  readonly logged: string[];
  /** A request with the admin token. */
  call(path: string, init?: CallInit): Promise<Response>;
}

export interface ApiWorldOptions {
  readonly routers?: (store: Store) => ApiRouter[];
  readonly consoleDir?: string;
  readonly maxFailures?: number;
  readonly nowMs?: () => number;
}

export async function apiWorld(options: ApiWorldOptions = {}): Promise<ApiWorld> {
  const temporary = await temporaryStore();
  const { store, dataDir } = temporary;
  const tokens = createApiTokens(store);
  const { path } = await tokens.ensureAdmin(dataDir);
  const token = (await readFile(path, 'utf8')).trim();
  const access = {
    tokens,
    sessions: createSessions(store, options.nowMs),
    failureLimit: createFailureLimit(options.maxFailures ?? 1_000),
  };
  const logged: string[] = [];
  const app = createApp({
    ...access,
    store,
    log: createLogger({ level: 'debug', write: (line) => logged.push(line) }),
    routers: [sessionRoutes(access), ...(options.routers?.(store) ?? [])],
    hostNames: ['fleet.example'],
    consoleDir: options.consoleDir ?? join(dataDir, 'no-console'),
    packageVersion: '1.2.3',
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    token,
    dataDir,
    store,
    logged,
    call: (callPath, init = {}) =>
      fetch(url + callPath, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await temporary[Symbol.asyncDispose]();
    },
  };
}

export function jsonInit(body: unknown, method = 'POST'): CallInit {
  return { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
}

/** The problem of a failed answer, after checking that it is one. */
export async function problemOf(answer: Response): Promise<Problem> {
  if (answer.headers.get('content-type')?.startsWith('application/problem+json') !== true) {
    throw new Error(`not a problem: ${answer.status} ${await answer.text()}`);
  }
  return (await answer.json()) as Problem;
}
