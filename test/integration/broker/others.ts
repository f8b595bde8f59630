// A device that publishes and a control plane that receives, whatever else happens to the broker.

import mqtt, { type MqttClient } from 'mqtt';
import { deviceTopic, fleetFilter } from '#protocol/topics.ts';
import type { IssuedTls, TestAuthority } from './test-authority.ts';

export class Others implements AsyncDisposable {
  readonly #clients: readonly MqttClient[];
  readonly #device: MqttClient;
  readonly #topic: string;
  received = 0;
  #arrived: () => void = () => undefined;

  private constructor(fleet: string, controlPlane: MqttClient, device: MqttClient) {
    this.#topic = deviceTopic(fleet, 'camera-1', 'events');
    this.#clients = [controlPlane, device];
    this.#device = device;
    controlPlane.on('message', () => {
      this.received++;
      this.#arrived();
    });
  }

  static async start(fleet: string, port: number, ca: TestAuthority): Promise<Others> {
    const connect = async (clientId: string, tls: IssuedTls): Promise<MqttClient> =>
      await mqtt.connectAsync(`mqtts://127.0.0.1:${port}`, {
        clientId,
        protocolVersion: 4,
        reconnectPeriod: 0,
        ca: tls.caPem,
        cert: tls.certificatePem,
        key: tls.privateKeyPem,
      });
    const controlPlane = await connect('control-plane', await ca.controlPlane());
    await controlPlane.subscribeAsync(fleetFilter(fleet, 'events'), { qos: 1 });
    return new Others(fleet, controlPlane, await connect('camera-1', await ca.client('camera-1')));
  }

  async exchange(messages: number): Promise<void> {
    const wanted = this.received + messages;
    for (let i = 0; i < messages; i++) await this.#publish();
    while (this.received < wanted) await new Promise<void>((resolve) => (this.#arrived = resolve));
  }

  /** Sends one message after another until the work is done, each when the last has arrived: the slowest, in ms. */
  async slowestDuring(work: Promise<unknown>): Promise<number> {
    const state = { isDone: false };
    void work.finally(() => (state.isDone = true));
    let slowestMs = 0;
    do {
      const startedMs = performance.now();
      await this.exchange(1);
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    } while (!state.isDone);
    return slowestMs;
  }

  async #publish(): Promise<void> {
    await this.#device.publishAsync(this.#topic, 'x'.repeat(1_000), { qos: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.endAsync(true);
  }
}
