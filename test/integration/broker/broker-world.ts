// An embedded broker, the authority that its clients are certified by, and clients for it.

import type { TLSSocket } from 'node:tls';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { startBroker, type EmbeddedBroker } from '#control-plane/broker/broker.ts';
import type { BrokerLimits } from '#control-plane/broker/limits.ts';
import type { IsKnownDevice } from '#control-plane/broker/live-connections.ts';
import type { TlsCredentials } from '#control-plane/broker/tls-credentials.ts';
import { createLogger } from '#control-plane/logger.ts';
import { connectRaw, openTls } from './flood.ts';
import { TestAuthority, type IssuedTls } from './test-authority.ts';

export const FLEET = 'lab';

export interface BrokerWorldOptions {
  readonly limits?: Partial<BrokerLimits>;
  readonly isKnownDevice?: IsKnownDevice;
  readonly crlPem?: string;
  readonly authority?: TestAuthority;
}

export class BrokerWorld implements AsyncDisposable {
  readonly authority: TestAuthority;
  readonly logLines: string[] = [];
  serverTls!: TlsCredentials;
  broker!: EmbeddedBroker;
  readonly #issued = new Map<string, IssuedTls>();
  readonly #clients = new Set<MqttClient>();

  private constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  static async start(options: BrokerWorldOptions = {}): Promise<BrokerWorld> {
    const { limits, isKnownDevice = () => Promise.resolve(true), crlPem } = options;
    const world = new BrokerWorld(options.authority ?? (await TestAuthority.create()));
    world.serverTls = await world.authority.server();
    world.broker = await startBroker({
      fleet: FLEET,
      host: '127.0.0.1',
      port: 0,
      tls: { ...world.serverTls, ...(crlPem === undefined ? {} : { crlPem }) },
      isKnownDevice,
      logger: createLogger({ level: 'debug', write: (line) => world.logLines.push(line) }),
      ...(limits === undefined ? {} : { limits }),
    });
    return world;
  }

  get log(): string {
    return this.logLines.join('');
  }

  /** The same certificate every time. */
  async tls(name: string): Promise<IssuedTls> {
    const known = this.#issued.get(name);
    if (known !== undefined) return known;
    const unit = name === 'control-plane' ? 'service' : 'device';
    const issued = await this.authority.client(name, { unit });
    this.#issued.set(name, issued);
    return issued;
  }

  /** Not connected yet; it never connects again by itself. */
  async client(name: string, options: IClientOptions = {}): Promise<MqttClient> {
    const { caPem, certificatePem, privateKeyPem } = await this.tls(name);
    const client = mqtt.connect(`mqtts://127.0.0.1:${this.broker.port}`, {
      clientId: name,
      protocolVersion: 4,
      reconnectPeriod: 0,
      ca: caPem,
      cert: certificatePem,
      key: privateKeyPem,
      ...options,
    });
    client.on('error', () => undefined);
    this.#clients.add(client);
    return client;
  }

  /** Rejects when it is refused. */
  async connect(name: string, options: IClientOptions = {}): Promise<MqttClient> {
    const client = await this.client(name, options);
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      client.once('error', reject);
      client.once('close', () => reject(new Error('closed')));
    });
    return client;
  }

  /** A TLS connection under the certificate of that name, nothing said on it yet. */
  async openTls(name: string): Promise<TLSSocket> {
    return await openTls(this.broker.port, this.authority.caPem, await this.tls(name));
  }

  /** One on which CONNECT was accepted. */
  async openMqtt(name: string): Promise<TLSSocket> {
    const socket = await this.openTls(name);
    await connectRaw(socket, name);
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.endAsync(true);
    await this.broker[Symbol.asyncDispose]();
  }
}

export async function closed(client: MqttClient | TLSSocket): Promise<void> {
  if (client instanceof mqtt.MqttClient ? client.disconnected : client.destroyed) return;
  await new Promise<void>((resolve) => (client as TLSSocket).once('close', () => resolve()));
}
