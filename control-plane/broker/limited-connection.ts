// A TLS connection as the broker reads and writes it, bounded both ways. aedes 1.x buffers a packet of any
// declared length, all bytes before it has answered CONNECT, and whatever a client does not read.
// INVARIANTS: at most one chunk and the stream's high-water mark are held of what comes in; of what goes out
// to a device at most `maxOutgoingBytes`, and no device that reads slowly ever makes a sender wait.

import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { HoldfastError } from '#protocol/errors.ts';
import { FrameMeter } from './frame-meter.ts';
import type { BrokerLimits } from './limits.ts';
import { OutgoingBound } from './outgoing-bound.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { TokenBucket } from './token-bucket.ts';

type Written = (error?: Error | null) => void;

export interface ConnectionOptions {
  readonly limits: BrokerLimits;
  /** Called once, when CONNECT was accepted. */
  readonly onAccepted: () => void;
  /** A clock that never goes back. */
  readonly nowMs?: () => number;
}

export class LimitedConnection extends Duplex {
  readonly peer: PeerIdentity;
  readonly remoteAddress: string;
  readonly #socket: TLSSocket;
  readonly #options: ConnectionOptions;
  readonly #meter: FrameMeter;
  readonly #packetRate: TokenBucket;
  readonly #byteRate: TokenBucket;
  /** Null for a service: the control plane reads for all devices, and aedes makes senders wait for it. */
  readonly #outgoing: OutgoingBound | null;
  readonly #deadline: NodeJS.Timeout;
  #heldBack: NodeJS.Timeout | null = null;
  #isWanted = false;
  #isAccepted = false;

  constructor(socket: TLSSocket, peer: PeerIdentity, options: ConnectionOptions) {
    const { limits, nowMs = () => performance.now() } = options;
    const isDevice = peer.kind === 'device';
    super({
      allowHalfOpen: false,
      // Never reached before the bound is, so that aedes never waits for a device.
      ...(isDevice ? { writableHighWaterMark: limits.maxOutgoingBytes } : {}),
    });
    this.#socket = socket;
    this.#options = options;
    this.peer = peer;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.#meter = new FrameMeter(limits);
    this.#packetRate = new TokenBucket(
      { perSecond: limits.packetsPerSecond, burst: limits.packetBurst },
      nowMs,
    );
    this.#byteRate = new TokenBucket({ perSecond: limits.bytesPerSecond, burst: limits.byteBurst }, nowMs);
    this.#outgoing = isDevice ? new OutgoingBound(limits.maxOutgoingBytes) : null;
    this.#deadline = setTimeout(() => {
      this.destroy(new HoldfastError('deadline-exceeded', 'CONNECT was not accepted in time'));
    }, limits.connectTimeoutMs);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error: Error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    socket.pause();
  }

  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** CONNECT was answered with yes: lifts the bounds on time and bytes before that. */
  accepted(): void {
    if (this.#isAccepted || this.destroyed) return;
    this.#isAccepted = true;
    clearTimeout(this.#deadline);
    this.#meter.open();
    this.#options.onAccepted();
  }

  override write(chunk: Buffer | string, encoding?: BufferEncoding | Written, done?: Written): boolean {
    if (!this.destroyed && this.#outgoing?.add(Buffer.byteLength(chunk)) === false) {
      this.destroy(new HoldfastError('overloaded', 'it does not read what it is sent'));
    }
    return typeof encoding === 'string'
      ? super.write(chunk, encoding, done)
      : super.write(chunk, encoding ?? done);
  }

  #receive(chunk: Buffer): void {
    if (this.destroyed) return;
    const packetsBefore = this.#meter.packets;
    const wrong = this.#meter.accept(chunk);
    if (wrong !== null) return void this.destroy(new HoldfastError('body-too-large', wrong));
    const waitMs = this.#charge(this.#meter.packets - packetsBefore, chunk.length);
    if (waitMs > this.#options.limits.maxHoldBackMs) {
      return void this.destroy(new HoldfastError('rate-limited', 'it sends far more than its rate'));
    }
    this.#isWanted = this.push(chunk);
    if (waitMs > 0) this.#holdBack(waitMs);
    this.#steer();
  }

  #holdBack(waitMs: number): void {
    this.#heldBack?.close();
    this.#heldBack = setTimeout(() => {
      this.#heldBack = null;
      this.#steer();
    }, waitMs);
  }

  /** Milliseconds until the client is within its rate again. */
  #charge(packets: number, bytes: number): number {
    if (this.peer.kind === 'service') return 0;
    return Math.max(this.#packetRate.take(packets), this.#byteRate.take(bytes));
  }

  #steer(): void {
    if (this.#isWanted && this.#heldBack === null) this.#socket.resume();
    else this.#socket.pause();
  }

  override _read(): void {
    this.#isWanted = true;
    this.#steer();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Written): void {
    this.#socket.write(chunk, (error) => this.#taken(1, chunk.length, done, error));
  }

  /** A packet comes as several small writes; together they are one TLS record. */
  override _writev(writes: { chunk: Buffer; encoding: BufferEncoding }[], done: Written): void {
    const together = Buffer.concat(writes.map(({ chunk }) => chunk));
    this.#socket.write(together, (error) => this.#taken(writes.length, together.length, done, error));
  }

  #taken(entries: number, lengthBytes: number, done: Written, error: Error | null | undefined): void {
    this.#outgoing?.remove(entries, lengthBytes);
    done(error);
  }

  override _final(done: Written): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: Written): void {
    clearTimeout(this.#deadline);
    this.#heldBack?.close();
    this.#socket.destroy();
    done(error);
  }
}
