// A real HTTP server with the control plane's application, on a real database, with routes of the test's
// own choice.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApp } from '#control-plane/app.ts';
import { createFailureLimit } from '#control-plane/http/authenticate.ts';
import type { ScopeSource } from '#control-plane/http/permission.ts';
import { DEFAULT_BUDGETS, type RateBudgets } from '#control-plane/http/rate-budgets.ts';
import type { ApiRouter } from '#control-plane/http/route.ts';
import { createLogger, type Logger } from '#control-plane/logger.ts';
import { ensureAdminToken } from '#control-plane/operators/admin-token.ts';
import type { Identity } from '#control-plane/operators/oidc/identity.ts';
import { sessionRoutes } from '#control-plane/operators/session-routes.ts';
import { Sessions } from '#control-plane/operators/sessions.ts';
import { tokenRoutes } from '#control-plane/operators/token-routes.ts';
import { ApiTokens } from '#control-plane/operators/tokens.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import type { Store } from '#control-plane/store/database.ts';
import type { Grant } from '#protocol/access.ts';
import type { Problem } from '#protocol/api.ts';
import { temporaryStore } from '#test/temporary-store.ts';

export type CallInit = Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> };

export interface ApiWorld extends AsyncDisposable {
  readonly url: string;
  readonly server: Server;
  readonly token: string;
  readonly dataDir: string;
  readonly store: Store;
  /** What the server logged. */
  readonly logged: string[];
  readonly tokens: ApiTokens;
  readonly sessions: Sessions;
  /** A new token with these grants. */
  tokenWith(...grants: Grant[]): Promise<string>;
  /** A request with the admin token. */
  call(path: string, init?: CallInit): Promise<Response>;
}

export interface ApiWorldOptions {
  readonly routers?: (store: Store, parts: { sessions: Sessions; log: Logger }) => ApiRouter[];
  readonly scopes?: ScopeSource;
  readonly budgets?: Partial<RateBudgets>;
  readonly trustedProxies?: readonly string[];
  readonly grantsOf?: (identity: Identity) => readonly Grant[];
  readonly consoleDir?: string;
  readonly maxFailures?: number;
  readonly nowMs?: () => number;
}

export async function apiWorld(options: ApiWorldOptions = {}): Promise<ApiWorld> {
  const temporary = await temporaryStore();
  const { store, dataDir } = temporary;
  const nowMs = options.nowMs ?? Date.now;
  const tokens = new ApiTokens({ store, audit: createAudit(store, nowMs), nowMs });
  const { path } = await ensureAdminToken(store, dataDir, nowMs);
  const token = (await readFile(path, 'utf8')).trim();
  const sessions = new Sessions({ store, nowMs, grantsOf: options.grantsOf ?? (() => []) });
  const failureLimit = createFailureLimit(options.maxFailures ?? 1_000);
  const logged: string[] = [];
  let made = 0;
  const log = createLogger({ level: 'debug', write: (line) => logged.push(line) });
  const app = createApp({
    tokens,
    sessions,
    failureLimit,
    scopes: options.scopes ?? { teamOf: () => null, labelsOf: () => Promise.resolve(null) },
    store,
    log,
    routers: [
      sessionRoutes({ tokens, sessions, failureLimit, providerName: null }),
      tokenRoutes(tokens),
      ...(options.routers?.(store, { sessions, log }) ?? []),
    ],
    hostNames: ['fleet.example'],
    trustedProxies: options.trustedProxies ?? [],
    budgets: { ...DEFAULT_BUDGETS, ...options.budgets },
    consoleDir: options.consoleDir ?? join(dataDir, 'no-console'),
    packageVersion: '1.2.3',
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    server,
    token,
    dataDir,
    store,
    logged,
    tokens,
    sessions,
    async tokenWith(...grants) {
      const keeper = {
        label: 'system',
        grants: [{ role: 'admin' as const }],
        tokenId: null,
        expiresAtMs: null,
      };
      made += 1;
      return (await tokens.create({ name: `made-${made}`, grants, ttlMs: 3_600_000 }, keeper)).token;
    },
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
