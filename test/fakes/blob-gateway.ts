// The blob part of a device gateway over mTLS, with manners that a test can spoil one answer at a time.

import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { FleetTls } from './fleet-tls.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse, blob: Buffer, from: number) => void;

export class BlobGateway {
  readonly blobs = new Map<string, Buffer>();
  /** Ranges that were asked for, in order; null for a whole blob. */
  readonly ranges: (string | null)[] = [];
  /** Answers that replace the next ones, in order. */
  readonly spoiled: Answer[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(tls: FleetTls): Promise<BlobGateway> {
    const server = createServer({
      ...tls.server,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    });
    const gateway = new BlobGateway(server);
    server.on('request', (request, response) => gateway.#answer(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => gateway.stop());
    return gateway;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const range = request.headers.range ?? null;
    this.ranges.push(range);
    const blob = this.blobs.get(request.url?.replace('/blobs/', '') ?? '') ?? Buffer.alloc(0);
    const from = range === null ? 0 : Number(/^bytes=(\d+)-$/.exec(range)?.[1]);
    const spoil = this.spoiled.shift();
    if (spoil !== undefined) return spoil(request, response, blob, from);
    if (!(request.socket as TLSSocket).authorized) return end(response, 401);
    if (blob.length === 0) return end(response, 404);
    if (from >= blob.length) return end(response, 416);
    if (range === null) response.writeHead(200, { 'content-length': blob.length });
    else response.writeHead(206, { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` });
    response.end(blob.subarray(from));
  }
}

/** Sends the given number of bytes of what was asked for, then breaks the connection. */
export function breakAfter(count: number): Answer {
  return (_request, response, blob, from) => {
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': blob.length - from,
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` }),
    });
    response.write(blob.subarray(from, from + count), () => response.destroy());
  };
}

export function answerStatus(status: number, headers: Record<string, string> = {}): Answer {
  return (_request, response) => end(response, status, headers);
}

/** Answers 200 with other bytes than the blob's. */
export function answerBytes(bytes: Buffer): Answer {
  return (_request, response) => void response.writeHead(200).end(bytes);
}

function end(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers).end();
}
