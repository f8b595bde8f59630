// Has candidates timed by devices (docs/adr/0010): signs a candidate to be timed, offers its bytes to devices,
// asks one, and takes both away again. Invariants: one measurement a profile at a time, so at most one a
// device; a measurement target exists only while it is asked for; no wait is for ever.

import { randomUUID } from 'node:crypto';
import { canonicalJson } from '#protocol/canonical-json.ts';
import type { Device } from '#protocol/api.ts';
import type { DeviceTiming } from '#protocol/compression.ts';
import { HoldfastError, type ErrorCode } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import {
  MAX_MEASURE_MS,
  MEASUREMENT_SCHEMA,
  measureTargetPath,
  type MeasurementManifest,
  type ReplyBody,
} from '#protocol/measurement.ts';
import type { DeviceTimer, DeviceTimingRequest } from '../registry/device-timer.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import type { NewTarget } from '../trust/image-repository.ts';
import { SerialQueue } from '../trust/serial-queue.ts';
import { deviceToMeasure } from './measure-choice.ts';
import { MeasureRequests, type MeasureRequestsDeps } from './measure-requests.ts';

const RUNS = 200;
const ACTOR = 'control-plane';
/** Answers that speak of the candidate; all others speak of the device or the way to it. */
const CANDIDATE_FAILED: ReadonlySet<string> = new Set<ErrorCode>([
  'model-load-failed',
  'provider-missing',
  'contract-mismatch',
  'golden-invalid',
  'worker-crashed',
]);

export interface MeasureTimerDeps extends MeasureRequestsDeps {
  readonly store: Store;
  readonly events: LiveEvents;
  readonly audit: Audit;
  readonly blobs: { putBytes(bytes: Uint8Array): Promise<BlobRef>; remove(sha256: string): Promise<void> };
  readonly image: {
    addMeasurement(target: NewTarget): Promise<void>;
    withdrawMeasurements(only?: string): Promise<string[]>;
  };
  readonly listDevices: () => Promise<Device[]>;
}

export class MeasureTimer implements DeviceTimer {
  readonly #deps: MeasureTimerDeps;
  readonly #requests: MeasureRequests;
  readonly #turns = new Map<string, SerialQueue>();
  /** Digests of what is being timed. */
  readonly #offers = new Set<readonly string[]>();

  private constructor(deps: MeasureTimerDeps, requests: MeasureRequests) {
    this.#deps = deps;
    this.#requests = requests;
  }

  /** Takes away what a crash left signed, and listens to devices. Errors: `unavailable`. */
  static async open(deps: MeasureTimerDeps): Promise<MeasureTimer> {
    const timer = new MeasureTimer(deps, await MeasureRequests.listen(deps));
    await timer.#withdraw();
    return timer;
  }

  /** Whether devices may have a blob now because it is being timed. */
  offers(sha256: string): boolean {
    return [...this.#offers].some((offer) => offer.includes(sha256));
  }

  time(request: DeviceTimingRequest): Promise<DeviceTiming | null> {
    const turn = this.#turns.get(request.profile.name) ?? new SerialQueue();
    this.#turns.set(request.profile.name, turn);
    return turn.run(() => this.#time(request));
  }

  async #time(request: DeviceTimingRequest): Promise<DeviceTiming | null> {
    const { signal, profile, weights } = request;
    if (signal.aborted) throw new HoldfastError('cancelled', 'the measurement was stopped');
    const device = deviceToMeasure(await this.#deps.listDevices(), profile.name, weights.sha256);
    if (device === null) return null;
    let answer: ReplyBody | null;
    try {
      answer = await this.#ask(device.id, request);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#deps.logger.error('a candidate could not be given out to be timed', { device: device.id, error });
      return null;
    }
    await this.#tell(device.id, outcome(device.id, request, answer));
    if (answer?.kind === 'measured') return { deviceId: device.id, ...answer.timing };
    if (answer === null || !CANDIDATE_FAILED.has(answer.code)) return null;
    throw new HoldfastError(answer.code as ErrorCode, `on ${device.id}: ${answer.detail}`);
  }

  async #ask(deviceId: string, request: DeviceTimingRequest): Promise<ReplyBody | null> {
    const { image, blobs } = this.#deps;
    const { weights, contract, profile } = request;
    const bytes = new TextEncoder().encode(canonicalJson(manifestOf(request)));
    const manifest = await blobs.putBytes(bytes);
    const path = measureTargetPath(contract.model, request.version, manifest.sha256);
    const offer = [manifest.sha256, weights.sha256, contract.golden.sha256];
    this.#offers.add(offer);
    try {
      await image.addMeasurement({ path, bytes, custom: { profile: profile.name, purpose: 'measure' } });
      await this.#begin(deviceId, request, path);
      const command = {
        kind: 'measure',
        requestId: randomUUID(),
        targetPath: path,
        manifest,
        runs: RUNS,
        deadlineMs: MAX_MEASURE_MS,
      } as const;
      return await this.#requests.ask(deviceId, command, request.signal);
    } finally {
      this.#offers.delete(offer);
      await this.#withdraw(path);
    }
  }

  async #begin(deviceId: string, request: DeviceTimingRequest, path: string): Promise<void> {
    const { store, audit } = this.#deps;
    const detail = { deviceId, weightsSha256: request.weights.sha256, precision: request.precision };
    await store.transaction(async (trx) => {
      await audit.record({ actor: ACTOR, action: 'model.measure', subject: path, detail }, trx);
      await this.#tell(deviceId, `${deviceId} times ${nameOf(request)}`, trx);
    });
  }

  async #tell(deviceId: string, summary: string, trx?: Store['db']): Promise<void> {
    const { events, nowMs } = this.#deps;
    await events.append({ kind: 'device', subject: deviceId, atMs: nowMs(), summary }, trx);
  }

  async #withdraw(path?: string): Promise<void> {
    for (const sha256 of await this.#deps.image.withdrawMeasurements(path)) {
      await this.#deps.blobs.remove(sha256);
    }
  }
}

function manifestOf(request: DeviceTimingRequest): MeasurementManifest {
  const { contract, version, precision, weights, profile } = request;
  const { model } = contract;
  return { schema: MEASUREMENT_SCHEMA, model, version, profile: profile.name, precision, weights, contract };
}

function nameOf({ contract, version, precision }: DeviceTimingRequest): string {
  return `${contract.model} ${version} candidate ${precision}`;
}

/** One line for people. */
function outcome(deviceId: string, request: DeviceTimingRequest, answer: ReplyBody | null): string {
  if (answer?.kind !== 'measured') {
    return `${deviceId} did not time ${nameOf(request)}: ${answer?.detail ?? 'no answer in time'}`;
  }
  const { p50Ms, p95Ms, runs, memoryBytes } = answer.timing;
  const numbers = `p50 ${p50Ms.toPrecision(3)} ms, p95 ${p95Ms.toPrecision(3)} ms over ${runs} runs`;
  return `${deviceId} timed ${nameOf(request)}: ${numbers}, ${Math.round(memoryBytes / 1024 ** 2)} MiB at most`;
}
