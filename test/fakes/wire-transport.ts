// A transport whose wire the test holds. Kept honest by test/contract/agent/transport.test.ts.

import type { OutgoingMessage, Transport, TransportHandlers } from '#agent/ports/transport.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { CommandBody, DesiredBody } from '#protocol/messages.ts';

export class WireTransport implements Transport {
  isConnected = false;
  /** What the broker has, in order. */
  readonly sent: OutgoingMessage[] = [];
  /** When set, sends fail as on a connection that breaks. */
  isBroken = false;
  #handlers: TransportHandlers | null = null;
  #wantsConnection = false;

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    if (this.#wantsConnection) this.connect();
  }

  connect(): void {
    this.#wantsConnection = true;
    if (this.#handlers === null || this.isConnected) return;
    this.isConnected = true;
    this.#handlers.connected();
  }

  disconnect(): void {
    this.#wantsConnection = false;
    if (!this.isConnected) return;
    this.isConnected = false;
    this.#handlers?.disconnected();
  }

  desired(body: DesiredBody): void {
    this.#handlers?.desired(body);
  }

  command(body: CommandBody): void {
    this.#handlers?.command(body);
  }

  refused(detail: string): void {
    this.#handlers?.refused(detail);
  }

  async send(message: OutgoingMessage): Promise<void> {
    await Promise.resolve();
    if (!this.isConnected || this.isBroken) throw new HoldfastError('unavailable', 'not connected');
    this.sent.push(structuredClone(message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isConnected = false;
    this.#handlers = null;
    await Promise.resolve();
  }
}
