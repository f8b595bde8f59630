// The HTTPS server devices talk to: TLS 1.3 with a certificate of the control plane's own CA. A client
// certificate is asked for and checked, but not required, so that a device without one can enrol.

import { createServer } from 'node:https';
import express from 'express';
import { admitByAddress } from '../broker/admission.ts';
import { closeServer, listenOn } from '../broker/listen.ts';
import { serverCredentials, type TlsCredentials } from '../broker/tls-credentials.ts';
import { notFound, problemHandler } from '../http/problem.ts';
import type { Logger } from '../logger.ts';
import { gatewayRoutes, type GatewayDeps } from './gateway-routes.ts';

export interface GatewayOptions extends GatewayDeps {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly tls: TlsCredentials;
  readonly logger: Logger;
  readonly connectionsPerAddress?: number;
}

export interface Gateway extends AsyncDisposable {
  readonly port: number;
  /** Takes effect for connections made from now on. */
  renewCredentials(tls: TlsCredentials): void;
}

const CONNECTIONS_PER_ADDRESS = 1_000;
const HANDSHAKE_MS = 10_000;
const HEADERS_MS = 15_000;
/** Requests have small bodies; what takes long is the answer, which this does not bound. */
const REQUEST_MS = 60_000;
const KEEP_ALIVE_MS = 30_000;
/** A connection on which nothing moves, in either direction, is given up. */
const IDLE_MS = 120_000;

/** Starts listening. Errors: `port-busy`, `bad-config`. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use(gatewayRoutes(options), notFound, problemHandler(options.logger));

  const server = createServer(
    {
      ...serverCredentials(options.tls),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    app,
  );
  server.setTimeout(IDLE_MS);
  const sockets = admitByAddress(server, options.connectionsPerAddress ?? CONNECTIONS_PER_ADDRESS);
  const port = await listenOn(server, options.host, options.port, 'HOLDFAST_GATEWAY_PORT');
  return {
    port,
    renewCredentials: (tls) => server.setSecureContext(serverCredentials(tls)),
    [Symbol.asyncDispose]: () => closeServer(server, sockets),
  };
}
