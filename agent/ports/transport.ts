// The way to the control plane and back. Delivery is at least once, in no promised order.

import type { MessageBody } from '#protocol/messages.ts';

export interface OutgoingMessage {
  readonly leaf: 'reported' | 'telemetry' | 'events' | 'reply';
  readonly seq: number;
  readonly boot: string;
  /** Of outbox entries: the lowest seq of `boot` still in the outbox, so that acks can pass what was dropped. */
  readonly heldFromSeq?: number;
  readonly body: MessageBody<'reported' | 'telemetry' | 'events' | 'reply'>;
}

export interface TransportHandlers {
  /** Called on every (re)connection; the supervisor then reports and sends what is not acknowledged. */
  connected(): void;
  disconnected(): void;
  desired(body: MessageBody<'desired'>): void;
  command(body: MessageBody<'command'>): void;
  /** A message that could not be decoded; `detail` says why. */
  refused(detail: string): void;
}

export interface Transport extends AsyncDisposable {
  readonly isConnected: boolean;
  start(handlers: TransportHandlers): void;
  /** Resolves once the broker has it; rejects when it did not get there. */
  send(message: OutgoingMessage): Promise<void>;
}
