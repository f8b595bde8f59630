// A device gateway that serves TUF metadata over mutual TLS 1.3, and can be told to misbehave per path.

import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Trust } from '#control-plane/trust/open-trust.ts';

export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void;

export class TufServer implements AsyncDisposable {
  readonly #server: ReturnType<typeof createServer>;
  /** Answers instead of the repositories, by exact path. */
  readonly misbehave = new Map<string, Misbehaviour>();
  /** Paths asked for, in order. */
  readonly requests: string[] = [];

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
  }

  static async start(trust: Trust): Promise<TufServer> {
    const { privateKeyPem, certificatePem } = await trust.ca.issueServerCertificate({
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
    });
    const server = createServer({
      key: privateKeyPem,
      cert: certificatePem,
      ca: trust.ca.certificatePem,
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: true,
    });
    const tufServer = new TufServer(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      tufServer.#answer(trust, request, response).catch((error: unknown) => {
        response.statusCode = 500;
        response.end(String(error));
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return tufServer;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Serves fixed bytes under a path from now on. */
  pin(path: string, bytes: Uint8Array | string): void {
    this.misbehave.set(path, (_, response) => response.end(bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  async #answer(trust: Trust, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    this.requests.push(path);
    const misbehaviour = this.misbehave.get(path);
    if (misbehaviour !== undefined) return misbehaviour(request, response);
    const [, repository, ...rest] = path.split('/');
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    let bytes: Buffer | null = null;
    if (repository === 'image') bytes = await trust.image.readImageFile(rest.join('/'));
    if (repository === 'director' && rest[0] === subject.CN) {
      bytes = await trust.director.readDirectorFile(rest[0] ?? '', rest.slice(1).join('/'));
    }
    response.statusCode = bytes === null ? 404 : 200;
    response.end(bytes);
  }
}
