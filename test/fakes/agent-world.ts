// A whole supervisor in one process: real rules, real serving, real steps; scripted workers, a wire for the
// network and a clock that the test moves. `kill` is what SIGKILL leaves: the disk, and nothing else.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { verifyAuthorSignature } from '#agent/adapters/author-signature.ts';
import { verifyManifest } from '#agent/adapters/verify-manifest.ts';
import type { JournalState } from '#agent/ports/journal.ts';
import type { MeasurementVerifier } from '#agent/ports/measurement-verifier.ts';
import type { RefreshOptions, ReleaseVerifier, VerifiedOrder } from '#agent/ports/release-verifier.ts';
import type { InferResult } from '#agent/ports/runtime.ts';
import type { SystemSnapshot } from '#agent/ports/system-probe.ts';
import { JournalKeeper } from '#agent/supervisor/journal-keeper.ts';
import { Supervisor } from '#agent/supervisor/supervisor.ts';
import type { DeploymentState } from '#protocol/deployment.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { DeploymentReport } from '#protocol/messages.ts';
import type { DeploymentPolicy, ReleaseManifest } from '#protocol/release.ts';
import { profileSchema, type DeviceProfile } from '#protocol/profile.ts';
import cpuGeneric from '../../firmware-profiles/cpu-generic.json' with { type: 'json' };
import { aManifest, anOrder, manifestBytes, TEST_DEVICE } from './agent-releases.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryArtifacts } from './memory-artifacts.ts';
import { MemoryJournal } from './memory-journal.ts';
import { ScriptedRuntime, type ScriptedWorker } from './scripted-runtime.ts';
import { keepingLogger } from './silent-logger.ts';
import { WireTransport } from './wire-transport.ts';

const ENOUGH: SystemSnapshot = {
  cpuLoadPct: 10,
  memoryUsedBytes: 1e9,
  memoryAvailableBytes: 8e9,
  temperatureC: null,
  diskFreeBytes: 1e11,
  throttleEpoch: 0,
};
const PATIENCE_MS = 5_000;

/** The Director and Image repositories as one answer. */
class ScriptedVerifier implements ReleaseVerifier, MeasurementVerifier {
  order: VerifiedOrder | null = null;
  failure: Error | null = null;
  /** Asked instead, when there is one. */
  real: ReleaseVerifier | null = null;
  looks = 0;
  /** Measurement targets by path. */
  readonly signed = new Map<string, BlobRef>();

  async verifyMeasurement(targetPath: string): Promise<BlobRef> {
    const signed = this.signed.get(targetPath);
    if (signed === undefined) throw new HoldfastError('tuf-mismatch', `nobody signed ${targetPath}`);
    return await Promise.resolve(signed);
  }

  async refresh(options: RefreshOptions): Promise<VerifiedOrder | null> {
    this.looks++;
    if (this.real !== null) return await this.real.refresh(options);
    await Promise.resolve();
    if (this.failure !== null) throw this.failure;
    return this.order;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

/** How the workers of a version behave. */
export type Behaviour = (worker: ScriptedWorker) => void;

export class AgentWorld {
  readonly clock: ManualClock;
  readonly journal: MemoryJournal;
  readonly runtime = new ScriptedRuntime();
  readonly artifacts: MemoryArtifacts;
  readonly candidates: MemoryArtifacts;
  readonly verifier = new ScriptedVerifier();
  readonly transport = new WireTransport();
  readonly logger = keepingLogger();
  readonly supervisor: Supervisor;
  snapshot: SystemSnapshot = ENOUGH;
  readonly #folder: string;
  readonly #behaviours: Map<number, Behaviour>;

  private constructor(folder: string, before: AgentWorld | null, state: JournalState | undefined) {
    this.#folder = folder;
    this.clock = before?.clock ?? new ManualClock();
    this.journal = new MemoryJournal(state);
    this.artifacts = new MemoryArtifacts(join(folder, 'blobs'));
    this.candidates = new MemoryArtifacts(join(folder, 'candidates'));
    this.#behaviours = before === null ? new Map() : before.#behaviours;
    for (const [sha256, bytes] of before?.artifacts.remote ?? []) this.artifacts.remote.set(sha256, bytes);
    this.runtime.prepare = (worker) => this.#prepare(worker);
    let names = 0;
    this.supervisor = new Supervisor({
      deviceId: TEST_DEVICE,
      fleet: 'test',
      profile: testProfile(),
      agentVersion: '0.0.0',
      localUrl: 'http://127.0.0.1:1',
      boot: `boot-${this.journal.state.bootCount + 1}`,
      keeper: new JournalKeeper(this.journal, this.clock),
      transport: this.transport,
      artifacts: this.artifacts,
      candidates: this.candidates,
      verifier: this.verifier,
      readManifest: verifyManifest,
      checkAuthorSignature: verifyAuthorSignature,
      runtime: this.runtime,
      probe: { snapshot: () => Promise.resolve(this.snapshot), throttleEpoch: () => 0 },
      clock: this.clock,
      chance: { uniform: () => 0.5, id: () => `id-${++names}` },
      logger: this.logger,
      telemetryWindowMs: 5_000,
      pollMs: 60_000,
    });
  }

  /** A fresh device that is connected. */
  static async start(): Promise<AgentWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-agent-'));
    const world = new AgentWorld(folder, null, undefined);
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await world.boot();
    return world;
  }

  get state(): JournalState {
    return this.journal.state;
  }

  get report(): DeploymentReport | undefined {
    return this.state.deployment?.report;
  }

  get serves(): number | null {
    return this.supervisor.serving.active?.release.version ?? null;
  }

  async boot(): Promise<void> {
    onTestFinished(() => this.supervisor[Symbol.asyncDispose]());
    this.transport.connect();
    await this.supervisor.start();
  }

  /** SIGKILL at this very moment, and a new process on the same disk. */
  async killAndRestart(change: (next: AgentWorld) => void = () => undefined): Promise<AgentWorld> {
    const state = structuredClone(this.state);
    this.journal.failure = new Error('this process is dead');
    this.transport.disconnect();
    await this.supervisor[Symbol.asyncDispose]();
    const next = new AgentWorld(this.#folder, this, state);
    next.verifier.order = this.verifier.order;
    change(next);
    await next.boot();
    return next;
  }

  /** Puts a release where the device can have it. */
  publish(version: number, behaviour: Behaviour = answers(version)): ReleaseManifest {
    const manifest = aManifest(version);
    this.artifacts.add(Buffer.from(`weights of ${version}`));
    this.artifacts.add(Buffer.from(`golden of ${version}`));
    this.artifacts.add(manifestBytes(manifest));
    this.#behaviours.set(version, behaviour);
    return manifest;
  }

  /** The control plane orders a version, and says so. */
  order(seq: number, version: number, policy: Partial<DeploymentPolicy> = {}): void {
    const { targetPath, order } = this.orderSilently(seq, version, policy);
    this.transport.desired({ rolloutId: order.rolloutId, seq, targetPath });
  }

  /** As `order`, and the hint is lost. */
  orderSilently(seq: number, version: number, policy: Partial<DeploymentPolicy> = {}): VerifiedOrder {
    const order = anOrder({ seq, version, policy: { minPairs: 30, probationMs: 10_000, ...policy } });
    this.verifier.order = order;
    return order;
  }

  /** Lets the world go on until something holds; time stands still meanwhile. */
  async until(holds: () => boolean, what = holds.toString()): Promise<void> {
    const giveUpAt = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (performance.now() > giveUpAt) {
        throw new Error(`never came true: ${what}; it is ${JSON.stringify(this.report)}`);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Lets time pass in steps until something holds. */
  async passUntil(byMs: number, holds: () => boolean): Promise<void> {
    const giveUpAt = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (performance.now() > giveUpAt) {
        throw new Error(`time did not help: ${holds.toString()}; it is ${JSON.stringify(this.report)}`);
      }
      await this.clock.advance(byMs);
    }
  }

  untilState(state: DeploymentState, seq = this.verifier.order?.order.seq): Promise<void> {
    return this.until(
      () => this.report?.state === state && this.report.seq === seq,
      `${state} of order ${seq}`,
    );
  }

  /** Puts a version in service from nothing, through its whole probation. */
  async settleOn(seq: number, version: number): Promise<void> {
    this.publish(version);
    this.order(seq, version, { mode: 'direct' });
    await this.untilState('probation', seq);
    await this.passUntil(1_000, () => this.report?.state === 'healthy');
  }

  /** Requests one after another, until something holds. */
  async trafficUntil(holds: () => boolean): Promise<void> {
    const image = { dtype: 'UINT8', shape: [1], data: new Uint8Array(1) } as const;
    const giveUpAt = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (performance.now() > giveUpAt)
        throw new Error(`traffic did not help; it is ${JSON.stringify(this.report)}`);
      await this.supervisor.serving.infer({ inputs: { image } }).catch(() => null);
      await new Promise((resolve) => setImmediate(resolve)); // scripted workers answer without ever waiting
    }
  }

  #prepare(worker: ScriptedWorker): void {
    const load = worker.load.bind(worker);
    worker.load = async (request) => {
      const result = await load(request);
      const version = [...this.#behaviours.keys()].find(
        (known) => aManifest(known).variant.weights.sha256 === request.contract.weights.sha256,
      );
      this.#behaviours.get(version ?? 0)?.(worker);
      return result;
    };
  }
}

/** Answers every request with one class at a latency. */
export function answers(version: number, change: Partial<InferResult> = {}): Behaviour {
  return (worker) => {
    worker.auto = () => ({
      latencyMs: 5,
      classes: [{ index: 1, label: `v${version}`, score: 1 }],
      ...change,
    });
  };
}

export function testProfile(): DeviceProfile {
  return profileSchema.parse(cpuGeneric);
}
