// One MQTT 3.1.1 connection over TLS, from CONNECT to close. It is never used again after it closed: the
// transport makes another. Invariant: what was not acknowledged when it closed is rejected, not kept.

import { connect as connectTls } from 'node:tls';
import { MqttClient } from 'mqtt';
import { HoldfastError } from '#protocol/errors.ts';
import type { Clock } from '../ports/clock.ts';

const KEEPALIVE_S = 20;
const CONNECT_TIMEOUT_MS = 10_000;
const PUBLISH_TIMEOUT_MS = 15_000;
const END_TIMEOUT_MS = 2_000;
const SUBSCRIPTION_REFUSED = 128;

export interface MqttCredentials {
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface MqttConnectionOptions {
  /** mqtts://host:port */
  readonly url: string;
  readonly clientId: string;
  readonly credentials: MqttCredentials;
  readonly will: { readonly topic: string; readonly payload: string };
  readonly clock: Clock;
  readonly onConnected: () => void;
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
  readonly onError: (error: Error) => void;
  readonly onClosed: () => void;
}

export class MqttConnection {
  readonly #client: MqttClient;
  readonly #clock: Clock;

  constructor(options: MqttConnectionOptions) {
    this.#clock = options.clock;
    const { hostname, port } = new URL(options.url);
    const { caPem, certificatePem, keyPem } = options.credentials;
    const dial = () =>
      connectTls({
        host: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port || 8883),
        ca: caPem,
        cert: certificatePem,
        key: keyPem,
        minVersion: 'TLSv1.3',
        rejectUnauthorized: true,
      });
    this.#client = new MqttClient(dial, {
      clientId: options.clientId,
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      timerVariant: 'native',
      will: { topic: options.will.topic, payload: Buffer.from(options.will.payload), qos: 1, retain: true },
    });
    this.#client.on('connect', options.onConnected);
    this.#client.on('message', options.onMessage);
    this.#client.on('error', options.onError);
    this.#client.once('close', () => {
      this.#client.end(true);
      options.onClosed();
    });
  }

  /** Throws `forbidden` when the broker refuses one of the topics. */
  async subscribe(topics: readonly string[]): Promise<void> {
    const granted = await this.#inTime(this.#client.subscribeAsync([...topics], { qos: 1 }));
    const refused = granted.find((grant) => grant.qos === SUBSCRIPTION_REFUSED);
    if (refused !== undefined) {
      throw new HoldfastError('forbidden', `the broker refuses a subscription to ${refused.topic}`);
    }
  }

  /** QoS 1; resolves with the broker's acknowledgement. */
  async publish(topic: string, payload: string, retain: boolean): Promise<void> {
    await this.#inTime(this.#client.publishAsync(topic, payload, { qos: 1, retain }));
  }

  /** Says goodbye, so that the broker does not publish the will. */
  async end(): Promise<void> {
    const ended = this.#client.endAsync(false);
    const timer = this.#clock.after(END_TIMEOUT_MS, () => this.#client.stream.destroy());
    await ended.finally(() => timer.cancel());
  }

  /** Breaks the connection; `onClosed` follows. */
  abort(): void {
    this.#client.stream.destroy();
  }

  async #inTime<T>(pending: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = this.#clock.after(PUBLISH_TIMEOUT_MS, () => {
      late.reject(new HoldfastError('unavailable', `the broker did not answer in ${PUBLISH_TIMEOUT_MS} ms`));
      this.abort();
    });
    try {
      return await Promise.race([pending, late.promise]);
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      throw new HoldfastError('unavailable', 'the connection to the broker was lost', { cause });
    } finally {
      timer.cancel();
    }
  }
}
