// A TLS connection as the broker reads it, with bounded bytes. aedes 1.x buffers a packet of any declared
// length, and all bytes before it has answered CONNECT; here the connection is destroyed before they reach
// it. Invariant: at most one chunk and the stream's high-water mark are held.

import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { HoldfastError } from '#protocol/errors.ts';
import { FrameMeter, type FrameLimits } from './frame-meter.ts';
import type { PeerIdentity } from './peer-identity.ts';

export class LimitedConnection extends Duplex {
  readonly peer: PeerIdentity;
  readonly #socket: TLSSocket;
  readonly #meter: FrameMeter;

  constructor(socket: TLSSocket, peer: PeerIdentity, limits: FrameLimits) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.peer = peer;
    this.#meter = new FrameMeter(limits);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error: Error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    socket.pause();
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** Lifts the bound on bytes before acceptance. */
  accepted(): void {
    this.#meter.open();
  }

  #receive(chunk: Buffer): void {
    if (this.destroyed) return;
    const wrong = this.#meter.accept(chunk);
    if (wrong !== null) this.destroy(new HoldfastError('body-too-large', wrong));
    else if (!this.push(chunk)) this.#socket.pause();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
