// The control plane's own connection to the embedded broker, or to an outside one by MQTT_URL.
// INVARIANTS: nothing is queued while there is no connection (callers publish again when it is back);
// messages are handed on one at a time, so that a slow handler slows the broker and not memory.

import { rootCertificates } from 'node:tls';
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { HoldfastError } from '#protocol/errors.ts';
import type { Logger } from '../logger.ts';
import { CONTROL_PLANE_ID } from './access-rules.ts';
import type { Messaging, ReceivedMessage } from './messaging.ts';
import type { TlsCredentials } from './tls-credentials.ts';
import { topicMatches } from './topic-filter.ts';

export interface MessagingOptions {
  /** `mqtts://host:port`; by `mqtt://` an outside broker without TLS. */
  readonly url: string;
  readonly tls: TlsCredentials;
  /** The broker is not ours: its certificate may be of any authority this machine trusts. */
  readonly isOutside?: boolean;
  readonly logger: Logger;
  /** For the first connection. */
  readonly connectTimeoutMs?: number;
}

type Handler = (message: ReceivedMessage) => Promise<void> | void;

const KEEPALIVE_S = 30;
const RECONNECT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 15_000;

/** Resolves once connected. Errors: `unavailable`. */
export async function connectMessaging(options: MessagingOptions): Promise<Messaging> {
  const { url, tls, logger, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const client = mqtt.connect(url, {
    clientId: CONTROL_PLANE_ID,
    protocolVersion: 4,
    clean: true,
    keepalive: KEEPALIVE_S,
    reconnectPeriod: RECONNECT_MS,
    connectTimeout: connectTimeoutMs,
    queueQoSZero: false,
    // mqtt.js would say `connect` before its subscriptions are back.
    resubscribe: false,
    ...tlsOptions(options, tls),
  });
  client.on('error', (error) => logger.warn('mqtt: connection of the control plane', { why: error.message }));
  await firstConnection(client, url, connectTimeoutMs);
  return new MqttMessaging(client, options);
}

function tlsOptions(
  { url, isOutside }: MessagingOptions,
  { caPem, certificatePem, privateKeyPem }: TlsCredentials,
): Pick<IClientOptions, 'ca' | 'cert' | 'key'> {
  if (url.startsWith('mqtt:')) return {};
  return { ca: isOutside ? [...rootCertificates, caPem] : caPem, cert: certificatePem, key: privateKeyPem };
}

async function firstConnection(client: MqttClient, url: string, timeoutMs: number): Promise<void> {
  let lastError: Error | undefined;
  client.on('error', (error) => (lastError = error));
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer in time')), timeoutMs);
      client.once('connect', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  } catch (cause) {
    await client.endAsync(true);
    throw new HoldfastError(
      'unavailable',
      `cannot connect to the broker at ${url}: ${lastError?.message ?? String(cause)}`,
      {
        hint: 'check MQTT_URL, that the broker runs, and that it trusts the device CA of this control plane',
        cause: lastError ?? cause,
      },
    );
  }
}

class MqttMessaging implements Messaging {
  readonly #client: MqttClient;
  readonly #options: MessagingOptions;
  readonly #handlers = new Map<string, Handler>();
  readonly #listeners = new Set<() => void>();

  constructor(client: MqttClient, options: MessagingOptions) {
    this.#client = client;
    this.#options = options;
    client.on('connect', () => void this.#recover());
    client.handleMessage = (packet, done) => void this.#dispatch(packet).then(() => done());
  }

  get isConnected(): boolean {
    return this.#client.connected;
  }

  async publish(topic: string, payload: string, { retain }: { readonly retain: boolean }): Promise<void> {
    if (!this.#client.connected) throw unavailable(topic);
    try {
      await this.#client.publishAsync(topic, payload, { qos: 1, retain });
    } catch (cause) {
      throw unavailable(topic, cause);
    }
  }

  async subscribe(filter: string, handler: Handler): Promise<void> {
    this.#handlers.set(filter, handler);
    try {
      await this.#client.subscribeAsync(filter, { qos: 1 });
    } catch (cause) {
      throw new HoldfastError('unavailable', `the broker refused the subscription to ${filter}`, {
        hint: 'an outside broker must let the control plane read every topic of the fleet',
        cause,
      });
    }
  }

  renewCredentials(tls: TlsCredentials): void {
    // mqtt.js makes every connection from this object.
    Object.assign(this.#client.options, tlsOptions(this.#options, tls));
  }

  onReconnected(listener: () => void): void {
    this.#listeners.add(listener);
  }

  async #recover(): Promise<void> {
    try {
      if (this.#handlers.size > 0) await this.#client.subscribeAsync([...this.#handlers.keys()], { qos: 1 });
      for (const listener of this.#listeners) listener();
    } catch (error) {
      this.#options.logger.warn('mqtt: subscriptions are not back; connecting again', { error });
      this.#client.stream.destroy();
    }
  }

  async #dispatch(packet: IPublishPacket): Promise<void> {
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const message = { topic: packet.topic, payload, isRetained: packet.retain };
    for (const [filter, handler] of this.#handlers) {
      if (!topicMatches(filter, packet.topic)) continue;
      try {
        await handler(message);
      } catch (error) {
        this.#options.logger.error('mqtt: a handler failed', { topic: packet.topic, error });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}

function unavailable(topic: string, cause?: unknown): HoldfastError {
  return new HoldfastError('unavailable', `could not publish on ${topic}: no connection to the broker`, {
    hint: 'it is sent again when the connection is back',
    ...(cause === undefined ? {} : { cause }),
  });
}
