// Puts a whole control plane together and starts it. Invariants: what was started is stopped in reverse
// order, also when a later part fails to start; it is ready only when everything listens.

import { isIP } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createApp } from './app.ts';
import { artifactRoutes } from './artifacts/routes.ts';
import { brokerRoutes } from './broker/routes.ts';
import { bundleRoutes } from './artifacts/bundle-routes.ts';
import type { Config } from './config.ts';
import { fleetRoutes } from './fleet/routes.ts';
import { eventRoutes } from './http/event-routes.ts';
import { EventStreams } from './http/event-streams.ts';
import { startHttpServer } from './http/http-server.ts';
import type { Logger } from './logger.ts';
import { openCore, type Core } from './open-core.ts';
import { eventSight } from './operators/event-sight.ts';
import type { DeviceTimer } from './registry/device-timer.ts';
import { JobQueue } from './registry/job-queue.ts';
import { readMachine, type Machine } from './registry/machine.ts';
import { makeVariants, type MakeVariantsDeps } from './registry/make-variants.ts';
import { registryRoutes } from './registry/routes.ts';
import { Registry } from './registry/service.ts';
import { repeat } from './repeated.ts';
import { RolloutController } from './rollouts/controller.ts';
import { rolloutRoutes } from './rollouts/routes.ts';
import { RolloutService } from './rollouts/service.ts';
import { startDevices, type DeviceSide } from './start-devices.ts';
import { openOperators } from './start-operators.ts';
import { telemetryRoutes } from './telemetry/routes.ts';
import { trustRoutes } from './trust/routes.ts';
import { TrustService } from './trust/trust-service.ts';

export interface ControlPlaneOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly packageVersion: string;
}

export interface RunningControlPlane extends AsyncDisposable {
  readonly httpUrl: string;
  readonly mqttUrl: string;
  readonly gatewayUrl: string;
  readonly adminToken: { readonly path: string; readonly made: boolean };
}

const CONTROLLER_INTERVAL_MS = 1_000;
const CONSOLE_DIR = new URL('./console/dist/', import.meta.url);

/** Resolves when everything listens. Errors: `port-busy`, `data-dir-locked`, `bad-config`, `state-corrupt`, `unavailable`. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  await using stack = new AsyncDisposableStack();
  const core = await openCore(options.config, options.log, stack);
  const machine = await readMachine();
  // Jobs begin when all else is there.
  const deviceTimer: DeviceTimer = { time: (request) => devices.timer.time(request) };
  const jobs = stack.use(
    new JobQueue({
      ...core,
      work: (job, context) => makeVariants(makerDeps(core, deviceTimer, machine), job, context),
    }),
  );
  const registry = new Registry({
    ...core,
    image: core.trust.image,
    jobs,
    maxModelBytes: options.config.maxModelBytes,
    packageVersion: options.packageVersion,
  });
  const devices: DeviceSide = await startDevices(core, registry, stack);
  const rollouts = await startRollouts(core, registry, devices, stack);
  const http = await startHttp(options, core, { registry, rollouts, devices }, stack);
  jobs.start();
  const owned = stack.move();
  return {
    ...http,
    mqttUrl: devices.mqttUrl,
    gatewayUrl: devices.gatewayUrl,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function makerDeps(core: Core, deviceTimer: DeviceTimer, machine: Machine): MakeVariantsDeps {
  const { dataDir, config } = core;
  const { scratchPath: scratchRoot } = dataDir;
  return { ...core, deviceTimer, machine, scratchRoot, maxModelBytes: config.maxModelBytes };
}

async function startRollouts(
  { store, events, audit, log, nowMs }: Core,
  registry: Registry,
  { fleet, telemetry }: DeviceSide,
  stack: AsyncDisposableStack,
): Promise<RolloutService> {
  const controller = new RolloutController({
    store,
    fleet,
    events,
    now: nowMs,
    onError: (rolloutId, error) => log.error('a rollout could not be worked on', { rolloutId, error }),
  });
  const tick = (): void => {
    controller.tick().catch((error: unknown) => log.error('the rollout controller failed', { error }));
  };
  fleet.onDeployment((deviceId, report) => controller.onDeployment(deviceId, report));
  await fleet.start();
  await telemetry.start();
  stack.use(
    repeat({
      name: 'the rollout controller',
      everyMs: CONTROLLER_INTERVAL_MS,
      log,
      run: () => controller.tick(),
    }),
  );
  return new RolloutService({
    store,
    events,
    audit,
    fleet,
    releaseOf: (model, version, profile) => registry.release(model, version, profile),
    wake: tick,
    now: nowMs,
  });
}

interface Parts {
  readonly registry: Registry;
  readonly rollouts: RolloutService;
  readonly devices: DeviceSide;
}

async function startHttp(
  { config, log, packageVersion }: ControlPlaneOptions,
  core: Core,
  { registry, rollouts, devices }: Parts,
  stack: AsyncDisposableStack,
): Promise<Pick<RunningControlPlane, 'httpUrl' | 'adminToken'>> {
  const { store, events, audit, blobs, dataDir } = core;
  const { access, adminToken, routers } = await openOperators(core);
  const streams = new EventStreams(events);
  const app = createApp({
    ...access,
    store,
    log,
    routers: [
      ...routers,
      fleetRoutes(devices),
      artifactRoutes({
        blobs,
        audit,
        maxUploadBytes: config.maxUploadBytes,
        fetchHosts: config.fetchHosts,
      }),
      bundleRoutes({
        blobs,
        maxModelBytes: config.maxModelBytes,
        scratchRoot: dataDir.scratchPath,
        createVersion: (request, actor) => registry.createVersion(request, actor),
      }),
      registryRoutes(registry),
      rolloutRoutes(rollouts),
      telemetryRoutes(devices),
      brokerRoutes({ fleet: config.fleet, authority: devices.fleet.authority }),
      trustRoutes(new TrustService(core)),
      eventRoutes({ streams, audit, maySee: eventSight({ registry, rollouts }) }),
    ],
    hostNames: [config.publicHost, config.httpHost],
    trustedProxies: config.trustedProxies,
    budgets: {
      reads: config.rateReads,
      writes: config.rateWrites,
      uploads: config.rateUploads,
      logins: config.rateLogins,
    },
    consoleDir: fileURLToPath(CONSOLE_DIR),
    packageVersion,
  });
  const server = stack.use(
    await startHttpServer({
      app,
      host: config.httpHost,
      port: config.httpPort,
      endStreams: () => streams[Symbol.dispose](),
    }),
  );
  return { httpUrl: `http://${shownHost(config.httpHost)}:${server.port}`, adminToken };
}

/** A host for people to click on: nobody can connect to a wildcard address. */
function shownHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return isIP(host) === 6 ? `[${host}]` : host;
}
