// A device as far as the network sees it: a key of its own, enrolment over pinned TLS, mqtt.js.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request, type Agent } from 'node:https';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { EnrolResponse } from '#protocol/api.ts';
import { decodeMessage, encodeMessage, type Envelope, type MessageBody } from '#protocol/messages.ts';
import { deviceTopic, type TopicLeaf } from '#protocol/topics.ts';
import { loadX509 } from '#control-plane/trust/x509.ts';
import { FLEET, type TestControlPlane } from './test-control-plane.ts';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface DeviceKey {
  readonly privateKeyPem: string;
  readonly csrPem: string;
}

export async function newDeviceKey(): Promise<DeviceKey> {
  const x509 = await loadX509();
  const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=whatever',
    keys,
    signingAlgorithm: P256,
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    privateKeyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    csrPem: csr.toString('pem'),
  };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface TlsClient {
  readonly caPem: string;
  readonly certificatePem?: string;
  readonly privateKeyPem?: string;
}

export async function https(
  url: string,
  tls: TlsClient,
  options: { method?: string; headers?: Record<string, string>; body?: string; agent?: Agent } = {},
): Promise<HttpAnswer> {
  const outgoing = request(url, {
    method: options.method ?? 'GET',
    headers: options.headers ?? {},
    agent: options.agent ?? false,
    ca: tls.caPem,
    cert: tls.certificatePem,
    key: tls.privateKeyPem,
  });
  outgoing.end(options.body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

export async function postEnrol(
  plane: TestControlPlane,
  claim: string,
  csrPem: string,
  profile = 'cpu-generic',
  caPem = plane.deviceCa.certificatePem,
): Promise<HttpAnswer> {
  const body = JSON.stringify({ claim, csrPem, profile });
  const headers = { 'content-type': 'application/json' };
  return await https(`${plane.gatewayUrl}/enrol`, { caPem }, { method: 'POST', headers, body });
}

/** Enrols with a fresh claim and key. */
export async function enrolDevice(plane: TestControlPlane, deviceId: string): Promise<TestDevice> {
  const claim = await plane.fleet.claims.create({ deviceId, labels: {}, ttlMs: 60_000 }, 'token:test');
  const key = await newDeviceKey();
  const answer = await postEnrol(plane, claim.token, key.csrPem);
  if (answer.status !== 200)
    throw new Error(`enrolment answered ${answer.status}: ${answer.body.toString()}`);
  return new TestDevice(key, JSON.parse(answer.body.toString()) as EnrolResponse);
}

export class TestDevice implements AsyncDisposable {
  readonly key: DeviceKey;
  readonly enrolled: EnrolResponse;
  readonly #clients = new Set<MqttClient>();

  constructor(key: DeviceKey, enrolled: EnrolResponse) {
    this.key = key;
    this.enrolled = enrolled;
  }

  get id(): string {
    return this.enrolled.deviceId;
  }

  get tls(): Required<TlsClient> {
    const { caPem, certificatePem } = this.enrolled;
    return { caPem, certificatePem, privateKeyPem: this.key.privateKeyPem };
  }

  topic(leaf: TopicLeaf): string {
    return deviceTopic(FLEET, this.id, leaf);
  }

  /** Not connected yet; await its `connect` or `error`. */
  client(plane: TestControlPlane, options: IClientOptions = {}): MqttClient {
    const client = mqtt.connect(plane.mqttUrl, {
      clientId: this.id,
      protocolVersion: 4,
      reconnectPeriod: 0,
      ca: this.tls.caPem,
      cert: this.tls.certificatePem,
      key: this.tls.privateKeyPem,
      ...options,
    });
    client.on('error', () => undefined);
    this.#clients.add(client);
    return client;
  }

  async connect(plane: TestControlPlane, options: IClientOptions = {}): Promise<MqttClient> {
    const client = this.client(plane, options);
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      client.once('error', reject);
      client.once('close', () => reject(new Error('closed')));
    });
    return client;
  }

  async send<L extends 'events' | 'telemetry' | 'reported' | 'presence'>(
    client: MqttClient,
    leaf: L,
    fields: { boot: string; seq: number; heldFromSeq?: number; body: MessageBody<L> },
  ): Promise<void> {
    const envelope = { id: `${fields.boot}-${leaf}-${fields.seq}`, sentAtMs: 1_700_000_000_000, ...fields };
    const retain = leaf === 'reported' || leaf === 'presence';
    await client.publishAsync(this.topic(leaf), encodeMessage(leaf, envelope), { qos: 1, retain });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.endAsync(true);
  }
}

/** Collects decoded messages of a leaf, and lets a test wait for one. */
export class Inbox<L extends 'desired' | 'command'> {
  readonly received: Envelope<L>[] = [];
  #wake: () => void = () => undefined;

  constructor(device: TestDevice, client: MqttClient, leaf: L) {
    client.on('message', (topic, payload) => {
      if (topic !== device.topic(leaf) || payload.length === 0) return;
      this.received.push(decodeMessage(leaf, payload));
      this.#wake();
    });
  }

  async until(isWanted: (envelope: Envelope<L>) => boolean): Promise<Envelope<L>> {
    for (;;) {
      const found = this.received.find(isWanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
