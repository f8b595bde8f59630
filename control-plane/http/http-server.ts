// The HTTP listener for people and programs, and its orderly end: streams are ended, requests in flight
// get a moment, then every connection is closed.

import { createServer } from 'node:http';
import type { Express } from 'express';
import { listenOn } from '../broker/listen.ts';

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

export interface HttpServerOptions {
  readonly app: Express;
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Ends what would keep connections busy for ever. */
  readonly endStreams: () => void;
  /** Time that requests in flight get when the server is stopped. */
  readonly graceMs?: number;
}

const HEADERS_MS = 10_000;
/** A connection on which nothing moves is given up; uploads may last as long as they move. */
const IDLE_MS = 120_000;
const MAX_CONNECTIONS = 2_000;
const GRACE_MS = 2_000;

/** Starts listening. Errors: `port-busy`, `bad-config`. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: 0 }, options.app);
  server.setTimeout(IDLE_MS);
  server.maxConnections = MAX_CONNECTIONS;
  const port = await listenOn(server, options.host, options.port, 'HOLDFAST_HTTP_PORT');
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      options.endStreams();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), options.graceMs ?? GRACE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}
