import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileBlobStore } from '#control-plane/artifacts/file-blob-store.ts';
import { MeasureTimer } from '#control-plane/fleet/measure-timer.ts';
import { createLogger } from '#control-plane/logger.ts';
import type { DeviceTimingRequest } from '#control-plane/registry/device-timer.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import { createLiveEvents, type LiveEvents } from '#control-plane/store/live-events.ts';
import { openTrust, type Trust } from '#control-plane/trust/open-trust.ts';
import type { Device } from '#protocol/api.ts';
import { measureTargetPath, type ReplyBody } from '#protocol/measurement.ts';
import { digitsLoad } from '#test/fakes/worker-models.ts';
import { reportedBody } from '#test/fixtures/protocol/sample-messages.ts';
import { temporaryStore } from '#test/temporary-store.ts';
import { ReplyWire } from './reply-wire.ts';

const TIMING = { runs: 10, p50Ms: 1, p95Ms: 2, memoryBytes: 3 };
const DEVICE: Device = {
  id: 'edge-1',
  profile: 'cpu-generic',
  labels: {},
  online: true,
  lastSeenMs: 1,
  enrolledAtMs: 1,
  state: 'active',
  decision: null,
  keySha256: null,
  certificateExpiresAtMs: null,
  desiredSeq: 0,
  desired: null,
  reported: reportedBody(),
};

let stack: AsyncDisposableStack;
let wire: ReplyWire;
let trust: Trust;
let blobs: FileBlobStore;
let events: LiveEvents;
let open: () => Promise<MeasureTimer>;
let timer: MeasureTimer;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const { store, dataDir } = stack.use(await temporaryStore());
  wire = new ReplyWire();
  trust = await openTrust({ directory: join(dataDir, 'trust'), now: () => new Date() });
  blobs = await FileBlobStore.open(join(dataDir, 'blobs'));
  events = createLiveEvents(store);
  open = () =>
    MeasureTimer.open({
      fleet: 'lab',
      store,
      events,
      audit: createAudit(store),
      blobs,
      image: trust.image,
      messaging: wire.messaging,
      logger: createLogger({ level: 'silent', write: () => undefined }),
      nowMs: Date.now,
      listDevices: () => Promise.resolve([DEVICE]),
      patience: { repeatMs: 60_000, graceMs: 0 },
    });
  timer = await open();
});
afterEach(() => stack.disposeAsync());

function aRequest(version = 1, signal = new AbortController().signal): DeviceTimingRequest {
  const { contract, profile } = digitsLoad();
  return { profile, version, precision: 'int8', weights: contract.weights, contract, signal };
}
const answers = (body: (requestId: string) => ReplyBody): void => {
  wire.onAsked = (deviceId, { requestId }) => wire.answer(deviceId, body(requestId));
};
const failed = (code: string) => (requestId: string) =>
  ({ kind: 'measure-failed', requestId, code, detail: 'why' }) as const;
const signed = (): string[] =>
  wire.asked.map(([, { targetPath }]) => targetPath).filter((path) => trust.image.target(path) !== undefined);

describe('while a candidate is timed', () => {
  it('it is signed and its bytes may be fetched, and neither before nor after', async () => {
    const request = aRequest();
    const golden = request.contract.golden.sha256;
    const offered: boolean[] = [];
    wire.onAsked = (deviceId, { requestId, targetPath, manifest }) => {
      for (const sha256 of [request.weights.sha256, golden, manifest.sha256])
        offered.push(timer.offers(sha256));
      expect(trust.image.target(targetPath)).toMatchObject({
        length: manifest.sizeBytes,
        hashes: { sha256: manifest.sha256 },
        custom: { profile: 'cpu-generic', purpose: 'measure' },
      });
      wire.answer(deviceId, { kind: 'measured', requestId, timing: TIMING });
    };
    expect(timer.offers(golden)).toBe(false);
    expect(await timer.time(request)).toEqual({ deviceId: 'edge-1', ...TIMING });
    expect(offered).toEqual([true, true, true]);
    expect(timer.offers(golden)).toBe(false);
    expect(signed()).toEqual([]);
    expect(await blobs.has(wire.asked[0]?.[1].manifest.sha256 ?? '')).toBe(false);
  });

  it('the device is asked for no other', async () => {
    const first = Promise.withResolvers<void>();
    wire.onAsked = () => first.resolve();
    const both = [timer.time(aRequest(1)), timer.time(aRequest(2))];
    await first.promise;
    expect(wire.asked).toHaveLength(1);
    const [deviceId, { requestId }] = wire.asked[0] ?? expect.fail();
    answers((next) => ({ kind: 'measured', requestId: next, timing: TIMING }));
    wire.answer(deviceId, { kind: 'measured', requestId, timing: TIMING });
    expect(await Promise.all(both)).toMatchObject([TIMING, TIMING]);
    expect(wire.asked.map(([, { targetPath }]) => targetPath)).toEqual([
      expect.stringMatching(/^digits\/1\/candidates\//),
      expect.stringMatching(/^digits\/2\/candidates\//),
    ]);
  });
});

describe('a candidate has no timing, and the job goes on', () => {
  it.each([
    'conflict',
    'unavailable',
    'download-failed',
    'disk-full',
    'deadline-exceeded',
    'tuf-expired',
    'odd',
  ])('when the device answers %s', async (code) => {
    answers(failed(code));
    expect(await timer.time(aRequest())).toBeNull();
    expect((await events.since(0, 100)).map(({ summary }) => summary)).toEqual([
      'edge-1 times digits 1 candidate int8',
      'edge-1 did not time digits 1 candidate int8: why',
    ]);
  });

  it('when it cannot be signed', async () => {
    vi.spyOn(trust.image, 'addMeasurement').mockRejectedValueOnce(new Error('the disk is full'));
    const request = aRequest();
    expect(await timer.time(request)).toBeNull();
    expect(timer.offers(request.weights.sha256)).toBe(false);
    expect(wire.asked).toEqual([]);
  });
});

it.each(['model-load-failed', 'provider-missing', 'contract-mismatch', 'worker-crashed'])(
  'a candidate with which a device failed for %s is one that failed',
  async (code) => {
    answers(failed(code));
    await expect(timer.time(aRequest())).rejects.toMatchObject({ code, message: 'on edge-1: why' });
    expect(signed()).toEqual([]);
  },
);

it('a job that is cancelled waits for no device, and what it asked for is withdrawn', async () => {
  const stopping = new AbortController();
  wire.onAsked = () => stopping.abort();
  const both = [timer.time(aRequest(1, stopping.signal)), timer.time(aRequest(2, stopping.signal))];
  const cancelled = expect.objectContaining({ code: 'cancelled' });
  expect(await Promise.allSettled(both)).toMatchObject([{ reason: cancelled }, { reason: cancelled }]);
  expect(wire.asked).toHaveLength(1);
  expect(signed()).toEqual([]);
});

it('what a control plane that was killed left signed is withdrawn when it starts, and no release', async () => {
  const { sha256, sizeBytes: length } = await blobs.putBytes(Buffer.from('{"a":"candidate"}'));
  const path = measureTargetPath('digits', 1, sha256);
  const target = { length, sha256 };
  await trust.image.addMeasurement({
    path,
    ...target,
    custom: { profile: 'cpu-generic', purpose: 'measure' },
  });
  const release = 'digits/1/cpu-generic.json';
  await trust.image.addAuthorTargets('digits', [
    { path: release, ...target, custom: { profile: 'cpu-generic', releaseCounter: 1 } },
  ]);
  await open();
  expect(trust.image.target(path)).toBeUndefined();
  expect(trust.image.target(release)).toBeDefined();
  expect(await blobs.has(sha256)).toBe(false);
});
