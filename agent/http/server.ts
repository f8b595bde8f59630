// The agent's HTTP server on 127.0.0.1. It takes the port first, so that a busy one is told at once; until
// the agent is put together it answers 503, and lets inference wait. Invariants: requests for another host
// name are refused (DNS rebinding), and so are changes that a page of another site asks for.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler, type Router } from 'express';
import { HoldfastError } from '#protocol/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { holdUntil } from './hold-until.ts';
import { problemHandler } from './problem.ts';

const HOST = '127.0.0.1';
const HEADERS_MS = 10_000;
/** A connection on which nothing moves is given up. */
const IDLE_MS = 120_000;
const MAX_CONNECTIONS = 1_000;
/** Longest that a request for inference waits for the agent to be put together. */
const HOLD_MS = 20_000;
/** Time that requests in flight get when the agent stops. */
const DRAIN_MS = 10_000;
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export class LocalServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #served = Promise.withResolvers<void>();
  #router: RequestHandler | null = null;

  private constructor(logger: Logger) {
    const app = express();
    app.disable('x-powered-by');
    app.set('etag', false);
    app.use(ownHostOnly, ownSiteOnly);
    app.use(holdUntil(this.#served.promise, HOLD_MS), (request, response, next) => {
      if (this.#router === null) throw starting();
      this.#router(request, response, next);
    });
    app.use(notFound, problemHandler(logger));
    this.#server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: 0 }, app);
    this.#server.setTimeout(IDLE_MS);
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** 0 takes a free port. Throws `port-busy`. */
  static async listen(port: number, logger: Logger): Promise<LocalServer> {
    const local = new LocalServer(logger);
    await new Promise<void>((resolve, reject) => {
      local.#server.once('error', (error) => reject(listenError(error, port)));
      local.#server.listen(port, HOST, () => {
        local.#server.removeAllListeners('error');
        resolve();
      });
    });
    return local;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://${HOST}:${port}`;
  }

  /** From now on these answer. */
  serve(...routers: readonly (Router | RequestHandler)[]): void {
    const all = express.Router();
    for (const router of routers) all.use(router);
    this.#router = all;
    this.#served.resolve();
  }

  /** Takes no new connection; what is being answered is answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), DRAIN_MS);
    await closed;
    clearTimeout(timer);
  }
}

const ownHostOnly: RequestHandler = (request, _response, next) => {
  const name = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i.exec(request.headers.host ?? '');
  if (name !== null) return next();
  throw new HoldfastError(
    'forbidden',
    `this agent does not answer for the host ${request.headers.host ?? '(none)'}`,
    {
      hint: "use http://127.0.0.1 with the agent's port",
    },
  );
};

const ownSiteOnly: RequestHandler = (request, _response, next) => {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const isForeign =
    site === undefined
      ? origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)
      : site !== 'same-origin' && site !== 'none';
  if (SAFE_METHODS.has(request.method) || !isForeign) return next();
  throw new HoldfastError('forbidden', 'a page of another site asked for this');
};

const notFound: RequestHandler = (request) => {
  throw new HoldfastError('not-found', `nothing lies at ${request.path}`, {
    hint: 'the page is /, the state is /api/status, inference is under /v2',
  });
};

function starting(): HoldfastError {
  return new HoldfastError('not-serving', 'the agent is starting', { hint: 'ask again in a moment' });
}

function listenError(error: NodeJS.ErrnoException, port: number): HoldfastError {
  if (error.code === 'EADDRINUSE') {
    return new HoldfastError('port-busy', `port ${port} on ${HOST} is in use`, {
      hint: 'stop what uses it, or choose another with --http-port (0 takes a free one)',
      cause: error,
    });
  }
  return new HoldfastError('bad-config', `cannot listen on ${HOST}:${port}: ${error.message}`, {
    hint: 'choose another port with --http-port',
    cause: error,
  });
}
