// The device side of a control plane with real parts: SQLite, CA, TUF repositories, TLS broker, gateway.
// Nothing of it is faked but the registry, which knows one signed release for every model asked for.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker, type EmbeddedBroker } from '#control-plane/broker/broker.ts';
import type { BrokerLimits } from '#control-plane/broker/limits.ts';
import type { IsKnownDevice } from '#control-plane/broker/live-connections.ts';
import type { Messaging } from '#control-plane/broker/messaging.ts';
import { connectMessaging } from '#control-plane/broker/mqtt-client.ts';
import type { TlsCredentials } from '#control-plane/broker/tls-credentials.ts';
import { FileBlobStore } from '#control-plane/artifacts/file-blob-store.ts';
import { revokedCertificates } from '#control-plane/fleet/certificates.ts';
import { isAdmitted } from '#control-plane/fleet/devices.ts';
import { startGateway, type Gateway } from '#control-plane/fleet/gateway.ts';
import { ReleasedBlobs } from '#control-plane/fleet/released-blobs.ts';
import { Fleet } from '#control-plane/fleet/service.ts';
import { createLogger } from '#control-plane/logger.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import { openDatabase, type Store } from '#control-plane/store/database.ts';
import { createLiveEvents, type LiveEvents } from '#control-plane/store/live-events.ts';
import { Telemetry } from '#control-plane/telemetry/service.ts';
import { DeviceCa, SERVICE_NAMES } from '#control-plane/trust/device-ca.ts';
import { DirectorRepository } from '#control-plane/trust/director-repository.ts';
import { ImageRepository } from '#control-plane/trust/image-repository.ts';
import { KeyStore } from '#control-plane/trust/keys/key-store.ts';

export const FLEET = 'lab';
const HOST = '127.0.0.1';

export interface TestControlPlaneOptions {
  readonly dataDir: string;
  readonly mqttPort?: number;
  readonly brokerLimits?: Partial<BrokerLimits>;
  readonly nowMs?: () => number;
  /** In place of a look into the database. */
  readonly isKnownDevice?: IsKnownDevice;
}

export class TestControlPlane implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  #startBroker!: (port: number) => Promise<EmbeddedBroker>;
  store!: Store;
  events!: LiveEvents;
  deviceCa!: DeviceCa;
  director!: DirectorRepository;
  blobs!: FileBlobStore;
  broker!: EmbeddedBroker;
  messaging!: Messaging;
  telemetry!: Telemetry;
  fleet!: Fleet;
  gateway!: Gateway;
  readonly logLines: string[] = [];

  static async start(options: TestControlPlaneOptions): Promise<TestControlPlane> {
    const plane = new TestControlPlane();
    await plane.#start(options);
    return plane;
  }

  get mqttUrl(): string {
    return `mqtts://${HOST}:${this.broker.port}`;
  }

  get gatewayUrl(): string {
    return `https://${HOST}:${this.gateway.port}`;
  }

  /** Ends the broker with all it keeps, and starts another at the same address. */
  async replaceBroker(): Promise<void> {
    const { port } = this.broker;
    await this.broker[Symbol.asyncDispose]();
    this.broker = this.#stack.use(await this.#startBroker(port));
  }

  async #start(options: TestControlPlaneOptions) {
    const { dataDir, mqttPort = 0, nowMs = Date.now } = options;
    const now = () => new Date(nowMs());
    const logger = createLogger({ level: 'debug', write: (line) => this.logLines.push(line), nowMs });
    this.store = this.#stack.use(await openDatabase({ dataDir }));
    this.events = createLiveEvents(this.store);
    const audit = createAudit(this.store, nowMs);
    const keyStore = await KeyStore.open(join(dataDir, 'trust', 'keys'));
    this.deviceCa = await DeviceCa.open({ directory: join(dataDir, 'trust', 'ca'), now });
    const image = await ImageRepository.open({ directory: join(dataDir, 'trust', 'image'), keyStore, now });
    this.director = await DirectorRepository.open({
      directory: join(dataDir, 'trust', 'director'),
      keyStore,
      now,
    });
    this.blobs = await FileBlobStore.open(join(dataDir, 'blobs'));
    const serverTls = await this.#serverTls(nowMs);
    const { store } = this;
    this.#startBroker = async (port) =>
      await startBroker({
        fleet: FLEET,
        host: HOST,
        port,
        tls: serverTls,
        isKnownDevice: options.isKnownDevice ?? ((deviceId, key) => isAdmitted(store.db, deviceId, key)),
        logger,
        ...(options.brokerLimits === undefined ? {} : { limits: options.brokerLimits }),
      });
    this.broker = this.#stack.use(await this.#startBroker(mqttPort));
    const clientTls = async () => ({
      ...(await this.deviceCa.issueClientCertificate('control-plane')),
      caPem: this.deviceCa.bundlePem,
    });
    this.messaging = this.#stack.use(
      await connectMessaging({ url: this.mqttUrl, tls: await clientTls(), logger }),
    );
    this.telemetry = this.#stack.use(new Telemetry({ store, logger, nowMs }));
    this.fleet = this.#stack.use(
      new Fleet({
        fleet: FLEET,
        store,
        events: this.events,
        audit,
        logger,
        deviceCa: this.deviceCa,
        image,
        director: this.director,
        messaging: this.messaging,
        isProfile: (name) => ['cpu-generic', 'x86-cpu'].includes(name),
        reservedIds: SERVICE_NAMES,
        endpoints: () => ({ gatewayUrl: this.gatewayUrl, mqttUrl: this.mqttUrl }),
        nowMs,
        releaseOf: (model, version, profile) => Promise.resolve(signedRelease(model, version, profile)),
        disconnect: (deviceId) => this.broker.disconnect(deviceId),
        refreshTls: async () => {
          const renewed = await this.#serverTls(nowMs);
          this.broker.renewCredentials(renewed);
          this.gateway.renewCredentials(renewed);
          this.messaging.renewCredentials(await clientTls());
        },
        storeTelemetry: (trx, deviceId, body) => this.telemetry.storeWindow(trx, deviceId, body),
      }),
    );
    this.gateway = this.#stack.use(
      await startGateway({
        host: HOST,
        port: 0,
        tls: serverTls,
        logger,
        enrol: (request) => this.fleet.enrol(request),
        renew: (deviceId, csrPem) => this.fleet.renew(deviceId, csrPem),
        standing: (deviceId) => this.fleet.standing(deviceId),
        admission: (deviceId) => this.fleet.admission(deviceId),
        image,
        director: this.director,
        blobs: this.blobs,
        releasedBlobs: new ReleasedBlobs(store.db),
      }),
    );
  }

  async #serverTls(nowMs: () => number): Promise<TlsCredentials> {
    const credential = await this.deviceCa.issueServerCertificate({ dnsNames: [], ipAddresses: [HOST] });
    const crlPem = await this.deviceCa.revocationLists(await revokedCertificates(this.store.db, nowMs()));
    return { ...credential, caPem: this.deviceCa.bundlePem, crlPem };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Version 404 was never signed. */
export function signedRelease(model: string, version: number, profile: string) {
  if (version === 404) return null;
  return {
    targetPath: `${model}/${version}/${profile}.json`,
    manifestSha256: String(version % 10).repeat(64),
    manifestLengthBytes: 1_000,
    releaseCounter: version,
  };
}

export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-fleet-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
