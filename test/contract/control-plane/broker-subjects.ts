// The brokers that attempts are made on, with the certificates for them. Each row is done and judged from outside.

import { connect as tlsConnect } from 'node:tls';
import type { TlsCredentials } from '#control-plane/broker/tls-credentials.ts';
import { TOPIC_LEAVES } from '#protocol/topics.ts';
import { RawClient, connectPacket, publishPacket, type Bytes } from '#test/integration/broker/raw-client.ts';
import { TestAuthority } from '#test/integration/broker/test-authority.ts';
import type { Attempt, Credential, Deed } from './broker-attempts.ts';

export const UNKNOWN_DEVICE = 'camera-8';
const OWN_BRANCH = 'holdfast/v1/lab/camera-1';
const OTHER_TOPICS = ['lab/camera-2', 'other/camera-1', 'lab/control-plane'].flatMap((branch) =>
  TOPIC_LEAVES.map((leaf) => `holdfast/v1/${branch}/${leaf}`),
);
const OWN_WRITTEN = ['reported', 'presence', 'telemetry', 'events'].map((leaf) => `${OWN_BRANCH}/${leaf}`);

export class Credentials {
  readonly authority: TestAuthority;
  readonly #issued: ReadonlyMap<string, TlsCredentials>;
  readonly crlPem: string;

  private constructor(authority: TestAuthority, issued: ReadonlyMap<string, TlsCredentials>, crlPem: string) {
    this.authority = authority;
    this.#issued = issued;
    this.crlPem = crlPem;
  }

  static async issue(): Promise<Credentials> {
    const authority = await TestAuthority.create();
    const stranger = await TestAuthority.create();
    const revoked = await authority.client('camera-1');
    const issued = new Map<string, TlsCredentials>([
      ['own', await authority.client('camera-1')],
      ['of another authority', await stranger.client('camera-1')],
      ['expired', await authority.client('camera-1', { expiresInMs: -60_000 })],
      ['revoked', revoked],
      ['for servers', await authority.client('camera-1', { usage: 'serverAuth' })],
      ['of the gateway', await authority.client('gateway', { unit: 'service' })],
      ['named +', await authority.client('+')],
      ['unknown to the fleet', await authority.client(UNKNOWN_DEVICE)],
      ['of a device named control-plane', await authority.client('control-plane')],
      ['camera-2', await authority.client('camera-2')],
      ['camera-3', await authority.client('camera-3')],
      ['control-plane', await authority.controlPlane()],
    ]);
    return new Credentials(authority, issued, await authority.revocationList([revoked.serialNumber]));
  }

  /** Undefined for none. */
  of(name: string): TlsCredentials | undefined {
    return this.#issued.get(name);
  }

  nameOf(credential: Credential): string {
    if (credential === 'of the gateway') return 'gateway';
    if (credential === 'named +') return '+';
    if (credential === 'unknown to the fleet') return UNKNOWN_DEVICE;
    return credential === 'of a device named control-plane' ? 'control-plane' : 'camera-1';
  }
}

export class Subject implements Disposable {
  readonly #port: number;
  readonly #credentials: Credentials;
  readonly #open = new Set<RawClient>();
  #controlPlane!: RawClient;
  #attempts = 0;

  constructor(port: number, credentials: Credentials) {
    this.#port = port;
    this.#credentials = credentials;
  }

  /** Whether the deed was done. */
  async isDone({ deed }: Attempt): Promise<boolean> {
    const token = `attempt ${++this.#attempts}`;
    this.#controlPlane = await this.#connected('control-plane');
    await this.#controlPlane.subscribe('#');
    // Only where it matters: on the embedded broker its bustle can hide a message that is retained just then.
    if ('topic' in deed && deed.topic.toString().startsWith('$'))
      await this.#controlPlane.subscribe('$SYS/#');
    try {
      return await this.#try(deed, token);
    } finally {
      await this.#forget();
    }
  }

  async #try(deed: Deed, token: string): Promise<boolean> {
    switch (deed.kind) {
      case 'publish': {
        const device = await this.#connected('own');
        device.publish(deed.topic, token, deed.retain ?? false);
        await device.isAlive();
        return await this.#wasHeard(token);
      }
      case 'subscribe':
        return await this.#hears(deed.filter, deed.probes ?? [...OTHER_TOPICS, ...OWN_WRITTEN], token);
      case 'will': {
        const device = await this.#opened('own');
        const will = { topic: deed.topic, payload: token, retain: deed.retain };
        if (device !== null && (await device.connect({ clientId: 'camera-1', will }))) device.destroy();
        await this.#breakAnother();
        return await this.#wasHeard(token);
      }
      case 'connect': {
        const device = await this.#opened(deed.as ?? 'own', deed.maxVersion);
        const clientId = this.#credentials.nameOf(deed.as ?? 'own');
        return device !== null && (await device.connect({ clientId, level: deed.level ?? 4 }));
      }
      case 'impersonate': {
        const victim = await this.#connected('camera-2');
        const device = await this.#opened(deed.as ?? 'own');
        if (device !== null && (await device.connect({ clientId: deed.clientId }))) {
          device.publish('holdfast/v1/lab/camera-2/events', token, false);
          await device.isAlive();
        }
        const wasHeard = await this.#wasHeard(token);
        return wasHeard || !(await victim.isAlive()) || !(await this.#controlPlane.isAlive());
      }
      case 'break the protocol': {
        const device = await this.#opened('own');
        if (deed.how === 'second CONNECT') {
          await device?.connect({ clientId: 'camera-1' });
          device?.send(connectPacket({ clientId: 'camera-1' }));
        } else if (deed.how === 'PUBLISH first')
          device?.send(publishPacket(`${OWN_BRANCH}/events`, token, false));
        else await device?.subscribe(`${OWN_BRANCH}/desired`);
        return device !== null && (await device.isAlive());
      }
    }
  }

  /** Whether a message on one of the topics comes to whoever subscribed to the filter. */
  async #hears(filter: Bytes, probes: readonly string[], token: string): Promise<boolean> {
    const device = await this.#connected('own');
    await device.subscribe(filter);
    for (const probe of probes) this.#controlPlane.publish(probe, token, false);
    // The last one comes for certain, on a filter that is allowed.
    if (await device.isAlive()) {
      await device.subscribe(`${OWN_BRANCH}/command`);
      this.#controlPlane.publish(`${OWN_BRANCH}/command`, 'end', false);
      await device.message(({ payload }) => payload === 'end');
    }
    return device.messages.some(({ topic }) => probes.includes(topic) || topic.startsWith('$'));
  }

  /** Whether the control plane got it; what comes after it from another device is there by then. */
  async #wasHeard(token: string): Promise<boolean> {
    const device = await this.#connected('camera-3');
    device.publish('holdfast/v1/lab/camera-3/events', `after ${token}`, false);
    await this.#controlPlane.message(({ payload }) => payload === `after ${token}`);
    return this.#controlPlane.messages.some(({ payload }) => payload === token);
  }

  /** Once the will of another connection, which broke later, is there, those before it are too. */
  async #breakAnother(): Promise<void> {
    const device = await this.#opened('camera-3');
    const topic = 'holdfast/v1/lab/camera-3/presence';
    const payload = `broke after attempt ${this.#attempts}`;
    await device?.connect({ clientId: 'camera-3', will: { topic, payload, retain: false } });
    device?.destroy();
    await this.#controlPlane.message((message) => message.payload === payload);
  }

  async #connected(name: string): Promise<RawClient> {
    const client = await this.#opened(name);
    const isConnected = await client?.connect({ clientId: name === 'own' ? 'camera-1' : name });
    if (client === null || isConnected !== true) throw new Error(`${name} could not connect`);
    return client;
  }

  /** Null when TLS is refused. */
  async #opened(name: string, maxVersion?: 'TLSv1.2'): Promise<RawClient | null> {
    const tls = this.#credentials.of(name);
    const own = tls === undefined ? {} : { cert: tls.certificatePem, key: tls.privateKeyPem };
    const socket = tlsConnect({
      host: '127.0.0.1',
      port: this.#port,
      ca: this.#credentials.authority.caPem,
      ...own,
      ...(maxVersion === undefined ? {} : { maxVersion }),
    });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('secureConnect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (!isOpen) return null;
    const client = new RawClient(socket);
    this.#open.add(client);
    return client;
  }

  /** Nothing of an attempt is there for the next. */
  async #forget(): Promise<void> {
    const retained = new Set(this.#controlPlane.messages.map(({ topic }) => topic));
    for (const topic of retained) {
      if (topic.startsWith('holdfast/v1/lab/')) this.#controlPlane.publish(topic, '', true);
    }
    await this.#controlPlane.isAlive();
    for (const client of this.#open) client.destroy();
    this.#open.clear();
  }

  [Symbol.dispose](): void {
    for (const client of this.#open) client.destroy();
  }
}
