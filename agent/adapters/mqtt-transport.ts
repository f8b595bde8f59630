// The agent's side of MQTT (DESIGN.md section 5): client id = device id, presence by a retained will,
// subscriptions to `desired` and `command` only, QoS 1, reconnection with capped and jittered waits.
// Invariant: the transport keeps no message; whoever must not lose one sends it again on `connected`.

import { describeError, HoldfastError } from '#protocol/errors.ts';
import { decodeMessage, encodeMessage, MAX_PAYLOAD_BYTES, type CommandBody } from '#protocol/messages.ts';
import { deviceTopic, isRetained, parseDeviceTopic } from '#protocol/topics.ts';
import { backoffMs } from '../domain/backoff.ts';
import type { Chance, Clock, Timer } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { OutgoingMessage, Transport, TransportHandlers } from '../ports/transport.ts';
import { MqttConnection, type MqttCredentials } from './mqtt-connection.ts';

const BACKOFF = { firstMs: 500, maxMs: 20_000 };

export interface MqttTransportOptions {
  readonly url: string;
  readonly fleet: string;
  readonly deviceId: string;
  readonly boot: string;
  /** Asked at every connection, so that a renewed certificate is used. */
  readonly credentials: () => MqttCredentials;
  /** How this device stands may have changed: at every connection, lost connection and `renew` command. */
  readonly onStandingUnsure?: () => void;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
}

export class MqttTransport implements Transport {
  readonly #options: MqttTransportOptions;
  #handlers: TransportHandlers | null = null;
  #connection: MqttConnection | null = null;
  #connected = false;
  #failures = 0;
  #retry: Timer | null = null;
  #presenceSeq = 0;
  #disposed = false;

  constructor(options: MqttTransportOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#connect();
  }

  async send(message: OutgoingMessage): Promise<void> {
    const connection = this.#connection;
    if (connection === null || !this.#connected) {
      throw new HoldfastError('unavailable', 'not connected to the control plane');
    }
    const { leaf, ...rest } = message;
    const payload = encodeMessage(leaf, { ...this.#stamp(), ...rest });
    if (Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES) {
      throw new HoldfastError('body-too-large', `a ${leaf} message is over ${MAX_PAYLOAD_BYTES} bytes`);
    }
    await connection.publish(this.#topic(leaf), payload, isRetained(leaf));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#retry?.cancel();
    const connection = this.#connection;
    if (connection === null) return;
    if (this.#connected) {
      await connection
        .publish(this.#topic('presence'), this.#presence(false), true)
        .catch((error: unknown) => {
          this.#options.logger.debug('could not say goodbye', { error });
        });
    }
    this.#connected = false;
    await connection.end();
  }

  #connect(): void {
    const online = this.#presence(true);
    const connection = new MqttConnection({
      url: this.#options.url,
      clientId: this.#options.deviceId,
      credentials: this.#options.credentials(),
      will: { topic: this.#topic('presence'), payload: this.#presence(false) },
      clock: this.#options.clock,
      onConnected: () => void this.#established(connection, online),
      onMessage: (topic, payload) => this.#receive(topic, payload),
      onError: (error) => this.#options.logger.debug('mqtt', { error }),
      onClosed: () => this.#lost(),
    });
    this.#connection = connection;
  }

  async #established(connection: MqttConnection, online: string): Promise<void> {
    try {
      await connection.subscribe([this.#topic('desired'), this.#topic('command')]);
      await connection.publish(this.#topic('presence'), online, true);
    } catch (error) {
      this.#options.logger.warn('the broker did not take this device', { error });
      connection.abort();
      return;
    }
    if (this.#disposed || connection !== this.#connection) return;
    this.#connected = true;
    this.#failures = 0;
    this.#options.logger.info('connected to the control plane', { url: this.#options.url });
    this.#handlers?.connected();
    this.#options.onStandingUnsure?.();
  }

  #lost(): void {
    const wasConnected = this.#connected;
    this.#connected = false;
    this.#connection = null;
    if (wasConnected) this.#handlers?.disconnected();
    if (this.#disposed) return;
    this.#options.onStandingUnsure?.();
    const delayMs = backoffMs(++this.#failures, BACKOFF, this.#options.chance.uniform());
    this.#options.logger[wasConnected ? 'warn' : 'debug']('no connection to the control plane', {
      tryAgainInMs: Math.round(delayMs),
    });
    this.#retry = this.#options.clock.after(delayMs, () => this.#connect());
  }

  #receive(topic: string, payload: Uint8Array): void {
    if (payload.length === 0) return; // a retained message was cleared
    const { fleet, deviceId } = this.#options;
    const parsed = parseDeviceTopic(topic);
    if (parsed === null || parsed.fleet !== fleet || parsed.deviceId !== deviceId) return;
    try {
      if (parsed.leaf === 'desired') this.#handlers?.desired(decodeMessage('desired', payload).body);
      if (parsed.leaf === 'command') this.#command(decodeMessage('command', payload).body);
    } catch (error) {
      this.#handlers?.refused(describeError(error));
    }
  }

  #command(command: CommandBody): void {
    if (command.kind === 'renew') this.#options.onStandingUnsure?.();
    else this.#handlers?.command(command);
  }

  #presence(online: boolean): string {
    const { boot } = this.#options;
    return encodeMessage('presence', { ...this.#stamp(), boot, seq: ++this.#presenceSeq, body: { online } });
  }

  #stamp(): { id: string; sentAtMs: number } {
    return { id: this.#options.chance.id(), sentAtMs: this.#options.clock.nowMs() };
  }

  #topic(leaf: Parameters<typeof deviceTopic>[2]): string {
    return deviceTopic(this.#options.fleet, this.#options.deviceId, leaf);
  }
}
