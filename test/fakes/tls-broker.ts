// A real MQTT broker (aedes) over TLS with client certificates, as the control plane's, without its rules.

import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { Aedes, type AedesPublishPacket, type Client } from 'aedes';
import { onTestFinished } from 'vitest';
import { deviceTopic, type TopicLeaf } from '#protocol/topics.ts';
import type { FleetTls } from './fleet-tls.ts';

export interface SeenMessage {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
}

export class TlsBroker {
  readonly aedes: Aedes;
  readonly seen: SeenMessage[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: (() => void)[] = [];

  private constructor(aedes: Aedes, server: Server) {
    this.aedes = aedes;
    this.#server = server;
    server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      aedes.handle(socket);
    });
    aedes.on('publish', (packet: AedesPublishPacket, client: Client | null) => {
      if (client === null && packet.topic.startsWith('$SYS')) return;
      this.seen.push({ topic: packet.topic, payload: String(packet.payload), retain: packet.retain });
      for (const tell of this.#waiting.splice(0)) tell();
    });
  }

  /** Ends with the test. `port` takes the place of one that was stopped. */
  static async start(tls: FleetTls, port = 0): Promise<TlsBroker> {
    const aedes = await Aedes.createBroker({ concurrency: 10 });
    const server = createServer({
      ...tls.server,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const broker = new TlsBroker(aedes, server);
    onTestFinished(() => broker.stop());
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  /** Breaks every connection without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
    await new Promise<void>((resolve) => this.aedes.close(resolve));
  }

  publish(topic: string, payload: string, retain = false): Promise<void> {
    return new Promise((resolve, reject) => {
      const packet = { cmd: 'publish' as const, topic, payload, retain, qos: 1 as const, dup: false };
      this.aedes.publish(packet, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** The first message on a device's leaf, from the given position on, that passes the test. */
  async message(
    deviceId: string,
    leaf: TopicLeaf,
    test: (payload: { body: Record<string, unknown>; seq: number }) => boolean = () => true,
    from = 0,
  ): Promise<{ body: Record<string, unknown>; seq: number; boot: string; retain: boolean }> {
    const topic = deviceTopic('test', deviceId, leaf);
    for (;;) {
      for (const message of this.seen.slice(from)) {
        if (message.topic !== topic) continue;
        const payload = JSON.parse(message.payload) as {
          body: Record<string, unknown>;
          seq: number;
          boot: string;
        };
        if (test(payload)) return { ...payload, retain: message.retain };
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
