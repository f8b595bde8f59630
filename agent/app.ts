// Puts an agent together from its config: lock, journal, port, identity, adapters, supervisor. Whatever was
// begun is ended again, in reverse, when a later part fails.

import { join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { verifyAuthorSignature } from './adapters/author-signature.ts';
import { CertificateRenewal } from './adapters/certificate-renewal.ts';
import { lockDataDir } from './adapters/data-dir-lock.ts';
import { ensureEnrolled } from './adapters/enrolment.ts';
import { HttpsArtifacts } from './adapters/https-artifacts.ts';
import { IdentityFiles } from './adapters/identity-files.ts';
import { openLowdbJournal } from './adapters/lowdb-journal.ts';
import { MqttTransport } from './adapters/mqtt-transport.ts';
import { pinnedHttpsAgent } from './adapters/pinned-https.ts';
import { readProfile } from './adapters/profile-file.ts';
import { systemChance as chance, systemClock as clock } from './adapters/system-clock.ts';
import { MachineProbe } from './adapters/system-probe.ts';
import { TufVerifier } from './adapters/tuf-verifier.ts';
import { verifyManifest } from './adapters/verify-manifest.ts';
import { ProcessRuntime } from './adapters/worker-process.ts';
import type { AgentConfig } from './config.ts';
import { holdUntil } from './http/hold-until.ts';
import { localApi } from './http/local-api.ts';
import { oipRoutes } from './http/oip.ts';
import { pageRoutes } from './http/page.ts';
import { LocalServer } from './http/server.ts';
import type { DeviceIdentity } from './ports/identity-store.ts';
import type { Logger } from './ports/logger.ts';
import { JournalKeeper } from './supervisor/journal-keeper.ts';
import { Supervisor } from './supervisor/supervisor.ts';

/** Longest that a request, and the word that the agent is ready, wait for the model in service. */
const HOLD_MS = 20_000;

export interface StartOptions {
  readonly config: AgentConfig;
  readonly agentVersion: string;
  readonly logger: Logger;
  /** Aborted when the agent should stop while it is still starting. */
  readonly signal: AbortSignal;
}

export interface RunningAgent extends AsyncDisposable {
  readonly deviceId: string;
  readonly url: string;
}

/** Errors: `bad-config`, `data-dir-locked`, `port-busy`, `journal-corrupt`, `state-corrupt`, and those of enrolment. */
export async function startAgent(options: StartOptions): Promise<RunningAgent> {
  const { config, agentVersion, logger, signal } = options;
  await using parts = new AsyncDisposableStack();
  parts.use(await lockDataDir(config.dataDir));
  const journal = parts.use(
    await openLowdbJournal({
      path: join(config.dataDir, 'journal.json'),
      nowMs: () => clock.nowMs(),
      onSetAside: (movedTo, error) => logger.error('a journal file was set aside', { movedTo, error }),
    }),
  );
  const profile = await readProfile(profileName(config, journal.state.profile), process.arch);
  const server = parts.use(await LocalServer.listen(config.httpPort, logger));
  const store = new IdentityFiles(join(config.dataDir, 'identity'));
  const claimPath = join(config.dataDir, 'identity', 'claim');
  const { server: controlPlane, claim } = config;
  const identity = await ensureEnrolled({
    server: controlPlane,
    claim,
    profile: profile.name,
    store,
    claimPath,
    clock,
    chance,
    logger,
    signal,
  });
  const { deviceId, fleet, gatewayUrl, mqttUrl } = identity;
  let current = identity;
  const credentials = () => ({ ...current, keyPem: current.privateKeyPem });
  const dispatcher = pinnedHttpsAgent(credentials);
  parts.defer(() => dispatcher.destroy());
  const onRenewed = (renewed: DeviceIdentity) => void (current = renewed);
  const renewal = parts.use(
    new CertificateRenewal({ store, identity, dispatcher, clock, chance, logger, onRenewed }),
  );
  renewal.start();
  const verifier = parts.use(
    new TufVerifier({
      directory: join(config.dataDir, 'tuf'),
      identity,
      profile: profile.name,
      dispatcher,
      now: () => new Date(clock.nowMs()),
    }),
  );
  const artifactsIn = (folder: string) =>
    new HttpsArtifacts({
      directory: join(config.dataDir, folder),
      gatewayUrl,
      dispatcher,
      clock,
      chance,
      logger,
    });
  const runtime = parts.use(
    new ProcessRuntime({ log: ({ text, ...worker }) => logger.info('worker', { ...worker, text }) }),
  );
  const probe = parts.use(new MachineProbe({ dataDir: config.dataDir, clock, logger }));
  await probe.start();
  const boot = `${journal.state.bootCount + 1}.${chance.id().slice(0, 8)}`;
  const transport = new MqttTransport({
    url: mqttUrl,
    fleet,
    deviceId,
    boot,
    credentials,
    onStandingUnsure: () => renewal.check(),
    clock,
    chance,
    logger,
  });
  const supervisor = parts.use(
    new Supervisor({
      deviceId,
      fleet,
      profile,
      agentVersion,
      localUrl: server.url,
      boot,
      keeper: new JournalKeeper(journal, clock),
      transport,
      artifacts: artifactsIn('blobs'),
      candidates: artifactsIn('candidates'),
      verifier,
      readManifest: verifyManifest,
      checkAuthorSignature: verifyAuthorSignature,
      runtime,
      probe,
      clock,
      chance,
      logger,
      telemetryWindowMs: config.telemetryWindowMs,
      pollMs: config.pollMs,
    }),
  );
  const started = supervisor.start();
  server.serve(
    holdUntil(started, HOLD_MS),
    oipRoutes({
      serving: supervisor.serving,
      agentVersion,
      log: (error) => logger.error('an inference request failed', { error }),
    }),
    localApi(supervisor),
    pageRoutes(),
  );
  await inTime(started);
  const running = parts.move();
  return {
    deviceId,
    url: server.url,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose](); // what is being answered is answered while the model still serves
      await running.disposeAsync();
    },
  };
}

/** The given profile; an enrolled device keeps the one it has. */
function profileName({ profile }: AgentConfig, enrolledAs: string | null): string {
  const name = profile ?? enrolledAs;
  if (name === null) {
    throw new HoldfastError('bad-config', 'no profile is given', {
      hint: 'say with --profile which class of device this is',
    });
  }
  if (enrolledAs !== null && name !== enrolledAs) {
    throw new HoldfastError('bad-config', `this device enrolled as ${enrolledAs}, not as ${name}`, {
      hint: `leave --profile out, or enrol it as another device in another data folder`,
    });
  }
  return name;
}

async function inTime(started: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, HOLD_MS);
  try {
    await Promise.race([started, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
