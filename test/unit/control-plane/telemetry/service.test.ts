import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '#control-plane/logger.ts';
import type { Store } from '#control-plane/store/database.ts';
import { Telemetry } from '#control-plane/telemetry/service.ts';
import { telemetrySeriesSchema } from '#protocol/api.ts';
import { sketchOf, sketchQuantile } from '#protocol/latency-sketch.ts';
import type { TelemetryBody } from '#protocol/messages.ts';
import { RELEASE, telemetryBody } from '#test/fixtures/protocol/sample-messages.ts';
import { temporaryStore } from '#test/temporary-store.ts';

const DAY_MS = 86_400_000;
const NOW_MS = 1_700_000_000_000;
let temporary: Awaited<ReturnType<typeof temporaryStore>>;
let store: Store;
let telemetry: Telemetry;

beforeAll(async () => {
  temporary = await temporaryStore();
  store = temporary.store;
});
afterAll(() => temporary[Symbol.asyncDispose]());
beforeEach(async () => {
  await store.db.deleteFrom('telemetry').execute();
  const logger = createLogger({ level: 'silent', write: () => undefined });
  telemetry = new Telemetry({ store, logger, nowMs: () => NOW_MS });
});

const storeWindow = (deviceId: string, change: Partial<TelemetryBody> = {}) =>
  store.transaction((trx) => telemetry.storeWindow(trx, deviceId, telemetryBody(change)));

describe('telemetry', () => {
  test('adds windows up per device and version, with the quantiles of all requests together', async () => {
    const fast = Array.from({ length: 90 }, (_, i) => 1 + i / 100);
    const slow = Array.from({ length: 10 }, (_, i) => 100 + i);
    const at = (startMs: number) => ({ windowStartMs: startMs, windowEndMs: startMs + 10_000 });
    await storeWindow('camera-1', { ...at(NOW_MS), requests: 90, latency: sketchOf(fast) });
    await storeWindow('camera-1', {
      ...at(NOW_MS + 10_000),
      requests: 10,
      errors: 1,
      latency: sketchOf(slow),
    });
    await storeWindow('camera-1', { ...at(NOW_MS), release: { ...RELEASE, version: 2 } });
    await storeWindow('camera-2', at(NOW_MS));
    const series = await telemetry.query({});
    expect(series.map(({ deviceId, version, windows }) => [deviceId, version, windows])).toEqual([
      ['camera-1', 1, 2],
      ['camera-1', 2, 1],
      ['camera-2', 1, 1],
    ]);
    expect(telemetrySeriesSchema.parse(series[0])).toMatchObject({
      fromMs: NOW_MS,
      toMs: NOW_MS + 20_000,
      requests: 100,
      errors: 1,
      labelled: 4,
      correct: 2,
    });
    const whole = sketchOf([...fast, ...slow]);
    expect(series[0]?.p50Ms).toBe(sketchQuantile(whole, 0.5));
    expect(series[0]?.p95Ms).toBe(sketchQuantile(whole, 0.95));
    expect(series[0]?.p95Ms).toBeGreaterThan(99);
  });

  test('is found by device, model, version and time', async () => {
    await storeWindow('camera-1', { windowStartMs: 1_000, windowEndMs: 2_000 });
    await storeWindow('camera-1', { windowStartMs: 5_000, windowEndMs: 6_000 });
    await storeWindow('camera-2', { release: { ...RELEASE, model: 'faces', version: 3 } });
    const windows = async (filter: Parameters<Telemetry['query']>[0]) =>
      (await telemetry.query(filter)).map((series) => [series.deviceId, series.windows]);
    expect(await windows({ deviceId: 'camera-1' })).toEqual([['camera-1', 2]]);
    expect(await windows({ deviceId: 'camera-1', sinceMs: 5_000 })).toEqual([['camera-1', 1]]);
    expect(await windows({ model: 'faces' })).toEqual([['camera-2', 1]]);
    expect(await windows({ model: 'faces', version: 2 })).toEqual([]);
  });

  test('without a single request has no quantiles', async () => {
    await storeWindow('camera-1', { requests: 0, labelled: 0, correct: 0, latency: sketchOf([]) });
    expect(await telemetry.query({})).toMatchObject([{ requests: 0, p50Ms: null, p95Ms: null, p99Ms: null }]);
  });

  test('is summed over more windows than are read at once', async () => {
    await store.transaction(async (trx) => {
      for (let i = 0; i < 2_500; i++) await telemetry.storeWindow(trx, 'camera-1', telemetryBody());
    });
    expect(await telemetry.query({})).toMatchObject([{ windows: 2_500, requests: 7_500 }]);
  });

  test('older than 30 days is deleted, at start and when asked', async () => {
    const endingAt = (endMs: number) => ({ windowStartMs: endMs - 1_000, windowEndMs: endMs });
    await storeWindow('camera-1', endingAt(NOW_MS - 31 * DAY_MS));
    await storeWindow('camera-1', endingAt(NOW_MS - 29 * DAY_MS));
    expect(await telemetry.sweep()).toBe(1);
    expect(await telemetry.query({})).toMatchObject([{ windows: 1 }]);
    await storeWindow('camera-1', endingAt(NOW_MS - 40 * DAY_MS));
    await using started = telemetry;
    await started.start();
    expect(await telemetry.query({})).toMatchObject([{ windows: 1 }]);
  });
});
