// The side of the control plane that devices see: MQTT broker, HTTPS gateway, the fleet behind them, and
// the renewal of what they trust before it expires.

import { isIP } from 'node:net';
import { startBroker } from './broker/broker.ts';
import type { IsKnownDevice } from './broker/live-connections.ts';
import { connectMessaging } from './broker/mqtt-client.ts';
import type { TlsCredentials } from './broker/tls-credentials.ts';
import { revokedCertificates } from './fleet/certificates.ts';
import { isAdmitted } from './fleet/devices.ts';
import { startGateway } from './fleet/gateway.ts';
import { MeasureTimer } from './fleet/measure-timer.ts';
import { ReleasedBlobs } from './fleet/released-blobs.ts';
import { Fleet } from './fleet/service.ts';
import type { Core } from './open-core.ts';
import type { DeviceTimer } from './registry/device-timer.ts';
import type { Registry } from './registry/service.ts';
import { repeat } from './repeated.ts';
import { Telemetry } from './telemetry/service.ts';
import { SERVICE_NAMES } from './trust/device-ca.ts';
import { startResigning } from './trust/resign-task.ts';

export interface DeviceSide {
  readonly fleet: Fleet;
  readonly telemetry: Telemetry;
  readonly timer: DeviceTimer;
  readonly mqttUrl: string;
  readonly gatewayUrl: string;
}

const RENEWAL_INTERVAL_MS = 3_600_000;

/** Listens; the caller starts the fleet when its own listeners are in place. Errors: `port-busy`, `unavailable`. */
export async function startDevices(
  core: Core,
  registry: Pick<Registry, 'release'>,
  stack: AsyncDisposableStack,
): Promise<DeviceSide> {
  const { config, log, nowMs, store, events, audit, blobs, profiles, trust } = core;
  const { host, publicHost } = { host: config.deviceHost, publicHost: urlHost(config.publicHost) };
  // Devices connect again before the fleet is up.
  const isKnownDevice: IsKnownDevice = (deviceId, keySha256) => isAdmitted(store.db, deviceId, keySha256);
  const tls = await serverTls(core);
  const broker =
    config.mqttUrl === undefined
      ? stack.use(
          await startBroker({
            fleet: config.fleet,
            host,
            port: config.mqttPort,
            tls,
            isKnownDevice,
            logger: log,
          }),
        )
      : null;
  const messaging = stack.use(
    await connectMessaging({
      url: config.mqttUrl ?? `mqtts://${urlHost(reachable(host))}:${broker?.port ?? 0}`,
      tls: await clientTls(core),
      isOutside: config.mqttUrl !== undefined,
      logger: log,
    }),
  );
  const refreshTls = async (): Promise<void> => {
    const renewed = await serverTls(core);
    gateway.renewCredentials(renewed);
    broker?.renewCredentials(renewed);
    messaging.renewCredentials(await clientTls(core));
  };
  const telemetry = stack.use(new Telemetry({ store, logger: log, nowMs }));
  const fleet: Fleet = stack.use(
    new Fleet({
      fleet: config.fleet,
      store,
      events,
      audit,
      logger: log,
      messaging,
      deviceCa: trust.ca,
      image: trust.image,
      director: trust.director,
      isProfile: (name) => profiles.has(name),
      reservedIds: SERVICE_NAMES,
      endpoints: () => ({ gatewayUrl, mqttUrl }),
      disconnect: (deviceId) => broker?.disconnect(deviceId),
      refreshTls,
      releaseOf: (model, version, profile) => registry.release(model, version, profile),
      storeTelemetry: (trx, deviceId, body) => telemetry.storeWindow(trx, deviceId, body),
      nowMs,
    }),
  );
  const timer = await MeasureTimer.open({
    fleet: config.fleet,
    store,
    events,
    audit,
    logger: log,
    messaging,
    blobs,
    image: trust.image,
    listDevices: () => fleet.listDevices(),
    nowMs,
  });
  const released = new ReleasedBlobs(store.db);
  const gateway = stack.use(
    await startGateway({
      host,
      port: config.gatewayPort,
      tls,
      logger: log,
      enrol: (request) => fleet.enrol(request),
      renew: (deviceId, csrPem) => fleet.renew(deviceId, csrPem),
      standing: (deviceId) => fleet.standing(deviceId),
      admission: (deviceId) => fleet.admission(deviceId),
      image: trust.image,
      director: trust.director,
      releasedBlobs: { has: async (sha256) => timer.offers(sha256) || (await released.has(sha256)) },
      blobs,
    }),
  );
  const gatewayUrl = `https://${publicHost}:${gateway.port}`;
  const mqttUrl = config.mqttUrl ?? `mqtts://${publicHost}:${broker?.port ?? 0}`;
  stack.use(
    repeat({
      name: 'renewal of certificates',
      everyMs: RENEWAL_INTERVAL_MS,
      log,
      run: refreshTls,
    }),
  );
  stack.use(startResigning({ ...trust, log }));
  return { fleet, telemetry, timer, mqttUrl, gatewayUrl };
}

async function serverTls({ config, trust, store, nowMs }: Core): Promise<TlsCredentials> {
  const names = [
    ...new Set(['localhost', '127.0.0.1', '::1', config.publicHost, reachable(config.deviceHost)]),
  ];
  const credential = await trust.ca.issueServerCertificate({
    dnsNames: names.filter((name) => isIP(name) === 0),
    ipAddresses: names.filter((name) => isIP(name) !== 0),
  });
  const crlPem = await trust.ca.revocationLists(await revokedCertificates(store.db, nowMs()));
  return { ...credential, caPem: trust.ca.bundlePem, crlPem };
}

async function clientTls({ trust }: Core): Promise<TlsCredentials> {
  return { ...(await trust.ca.issueClientCertificate('control-plane')), caPem: trust.ca.bundlePem };
}

/** An address at which this process reaches its own listener. */
function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}

function urlHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}
