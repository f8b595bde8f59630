// What the control plane needs of MQTT, whichever broker carries it.

import type { TlsCredentials } from './tls-credentials.ts';

export interface ReceivedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Kept by the broker from earlier; says nothing about whether its sender is there now. */
  readonly isRetained: boolean;
}

export interface Messaging extends AsyncDisposable {
  readonly isConnected: boolean;
  /** Resolves once the broker has it (at least once). Errors: `unavailable` when there is no connection. */
  publish(topic: string, payload: string, options: { readonly retain: boolean }): Promise<void>;
  /** The broker waits with the next message until the handler's promise settles; a handler never rejects. */
  subscribe(filter: string, handler: (message: ReceivedMessage) => Promise<void> | void): Promise<void>;
  /** Takes effect with the next connection. */
  renewCredentials(tls: TlsCredentials): void;
  /** Called after every later connection, once subscriptions are back. */
  onReconnected(listener: () => void): void;
}
