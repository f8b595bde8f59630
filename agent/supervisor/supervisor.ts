// The long-lived process behind the local HTTP server: it wires what runs deployments, serves, reports and
// measures, and ends them in order. It never loads onnxruntime or sharp; a model can crash only its slot.

import type { CommandBody, EventBody, ReportedBody, RunningRelease } from '#protocol/messages.ts';
import type { DeviceProfile } from '#protocol/profile.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { isRefusal } from '../domain/happening.ts';
import { activeRelease, previousRelease } from '../domain/journal-state.ts';
import { withEvent } from '../domain/outbox.ts';
import type { ArtifactSource } from '../ports/artifact-source.ts';
import type { Chance, Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { MeasurementVerifier } from '../ports/measurement-verifier.ts';
import type { ReleaseVerifier } from '../ports/release-verifier.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { SystemProbe } from '../ports/system-probe.ts';
import type { Transport } from '../ports/transport.ts';
import { DeploymentRunner } from './deployment-runner.ts';
import type { JournalKeeper } from './journal-keeper.ts';
import { Measurements } from './measurements.ts';
import { OrderWatcher } from './order-watcher.ts';
import { OutboxSender } from './outbox-sender.ts';
import { Reporter } from './reporter.ts';
import { ServingEvents } from './serving-events.ts';
import { Serving } from './serving/serving.ts';
import { Slots } from './slots.ts';
import { serviceNumbers, type AgentStatus } from './status.ts';
import type { CheckAuthorSignature, ReadManifest } from './steps/step.ts';
import { Telemetry } from './telemetry.ts';

const MAX_DETAIL_CHARS = 1_000;

export interface SupervisorDeps {
  readonly deviceId: string;
  readonly fleet: string;
  readonly profile: DeviceProfile;
  readonly agentVersion: string;
  /** Where this agent's own HTTP server is. */
  readonly localUrl: string;
  /** Names this run; the journal counts it as soon as the supervisor starts. */
  readonly boot: string;
  readonly keeper: JournalKeeper;
  readonly transport: Transport;
  readonly artifacts: ArtifactSource;
  /** Bytes of what is timed, apart from what may be put in service. */
  readonly candidates: ArtifactSource;
  readonly verifier: ReleaseVerifier & MeasurementVerifier;
  readonly readManifest: ReadManifest;
  readonly checkAuthorSignature: CheckAuthorSignature;
  readonly runtime: Runtime;
  readonly probe: SystemProbe;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly telemetryWindowMs: number;
  /** Time between looks for an order that no hint named. */
  readonly pollMs: number;
}

export class Supervisor implements AsyncDisposable {
  readonly serving: Serving;
  readonly #deps: SupervisorDeps;
  readonly #slots: Slots;
  readonly #runner: DeploymentRunner;
  readonly #watcher: OrderWatcher;
  readonly #measurements: Measurements;
  readonly #outbox: OutboxSender;
  readonly #reporter: Reporter;
  readonly #telemetry: Telemetry;
  readonly #startedAtMs: number;
  #connectionSinceMs: number;

  constructor(deps: SupervisorDeps) {
    const { keeper, clock, chance, runtime, probe, boot, telemetryWindowMs: windowMs } = deps;
    this.#deps = deps;
    this.#startedAtMs = clock.nowMs();
    this.#connectionSinceMs = this.#startedAtMs;
    const servingEvents = new ServingEvents();
    const throttleEpoch = (): number => probe.throttleEpoch();
    const serving = new Serving({ runtime, clock, chance, throttleEpoch, listener: servingEvents });
    this.serving = serving;
    this.#slots = new Slots({ ...deps, serving });
    this.#telemetry = new Telemetry({ ...deps, serving, windowMs });
    this.#outbox = new OutboxSender(deps);
    this.#reporter = new Reporter({ ...deps, boot, describe: () => this.#reported() });
    this.#runner = new DeploymentRunner({
      ...deps,
      serving,
      servingEvents,
      slots: this.#slots,
      whyNoOrder: () => this.#watcher.failure,
      onSwap: () => this.#telemetry.closeWindow(),
      onProgress: () => this.#reporter.changed(),
    });
    this.#watcher = new OrderWatcher({
      ...deps,
      onHint: (hint) => this.#runner.tell({ kind: 'hint', hint }),
      onOrder: (order) => this.#runner.tell({ kind: 'order', order }),
      onRefused: (code, detail) => this.#refused(code, detail),
    });
    this.#measurements = new Measurements(deps);
    keeper.onChange(() => this.#reporter.changed());
    servingEvents.subscribe({
      crashed: ({ release, detail }) => this.#crashed(release, detail),
      quarantined: ({ release: { weightsSha256: sha256 }, detail }) =>
        void this.#runner.tell({ kind: 'quarantined', sha256, detail }),
    });
  }

  /** Takes up what the journal says; resolves once the release in service serves again, or was tried. */
  async start(): Promise<void> {
    const { keeper, boot, profile, transport } = this.#deps;
    await keeper.happened({ kind: 'boot', boot, profile: profile.name });
    this.#runner.start();
    await this.#runner.settled();
    await this.#measurements.start();
    this.#telemetry.start();
    this.#watcher.start();
    transport.start({
      connected: () => this.#connected(),
      disconnected: () => (this.#connectionSinceMs = this.#deps.clock.nowMs()),
      desired: (hint) => this.#inBackground('a hint', this.#watcher.hint(hint)),
      command: (command) => this.#command(command),
      refused: (detail) => this.#refused('bad-request', detail),
    });
  }

  /** Puts the version before in service again, without any network. Throws `no-previous-version`. */
  async rollBack(): Promise<void> {
    const verdict = await this.#runner.tell({ kind: 'local-rollback' });
    if (isRefusal(verdict)) {
      throw new HoldfastError(verdict.code, verdict.detail, {
        hint: 'a version to go back to is there once a second one was put in service',
      });
    }
    await this.#runner.settled();
  }

  async status(): Promise<AgentStatus> {
    const { deviceId, fleet, keeper, transport, probe, clock } = this.#deps;
    const { active, previous, deployment, quarantined, profile, agentVersion } = this.#reported();
    return {
      deviceId,
      fleet,
      profile,
      agentVersion,
      nowMs: clock.nowMs(),
      startedAtMs: this.#startedAtMs,
      controlPlane: { connected: transport.isConnected, sinceMs: this.#connectionSinceMs },
      serving: this.serving.active?.state === 'ready' ? active : null,
      active,
      previous,
      deployment,
      quarantined,
      waitingMessages: keeper.state.outbox.length,
      service: serviceNumbers(this.#telemetry.totals),
      system: await probe.snapshot(),
    };
  }

  /** Ends in the order of dependence; what was served last is still counted and kept for sending. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher[Symbol.asyncDispose]();
    await this.#measurements[Symbol.asyncDispose]();
    await this.#runner[Symbol.asyncDispose]();
    await this.#telemetry[Symbol.asyncDispose]();
    await this.#outbox[Symbol.asyncDispose]();
    await this.#reporter[Symbol.asyncDispose]();
    await this.#deps.transport[Symbol.asyncDispose]();
    await this.#slots[Symbol.asyncDispose]();
    await this.serving[Symbol.asyncDispose]();
  }

  #connected(): void {
    this.#connectionSinceMs = this.#deps.clock.nowMs();
    this.#reporter.changed();
    this.#outbox.restart();
    this.#watcher.check();
  }

  #command(command: CommandBody): void {
    switch (command.kind) {
      case 'ack':
        return this.#inBackground('an acknowledgement', this.#outbox.acknowledge(command));
      case 'measure':
        return this.#measurements.request(command);
      case 'report':
        this.#reporter.changed();
        return this.#outbox.restart();
      case 'renew':
      // The transport's own: certificates are below what the supervisor knows.
    }
  }

  #reported(): ReportedBody {
    const { keeper, agentVersion, profile, localUrl } = this.#deps;
    const { state } = keeper;
    const report = state.deployment?.report ?? null;
    const { progressPct } = this.#runner;
    return {
      agentVersion,
      profile: profile.name,
      localUrl,
      active: activeRelease(state)?.running ?? null,
      previous: previousRelease(state)?.running ?? null,
      deployment: report === null || progressPct === null ? report : { ...report, progressPct },
      quarantined: [...state.quarantined],
    };
  }

  #crashed({ weightsSha256 }: RunningRelease, detail: string): void {
    const atMs = this.#deps.clock.nowMs();
    this.#deps.logger.error('an inference process ended', { weightsSha256, detail });
    this.#tell({ kind: 'worker-crash', weightsSha256, detail: detail.slice(0, MAX_DETAIL_CHARS), atMs });
  }

  #refused(code: string, detail: string): void {
    const atMs = this.#deps.clock.nowMs();
    this.#deps.logger.warn('refused', { code, detail });
    this.#tell({ kind: 'refused', code, detail: detail.slice(0, MAX_DETAIL_CHARS), atMs });
  }

  #tell(event: EventBody): void {
    this.#inBackground(
      'an event',
      this.#deps.keeper.change((state) => withEvent(state, event)),
    );
  }

  #inBackground(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#deps.logger.error(`${what} could not be handled`, { error }));
  }
}
