// Hostile JSON at the doors that take it: the API of a real control plane, the inference endpoint of a real agent, and
// the decoder of device messages.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorCodeOf } from '#protocol/errors.ts';
import { decodeMessage } from '#protocol/messages.ts';
import { hostileBytes, hostileRows, nameOf, type HostileRow } from './corpus.ts';
import { codeOf, controlPlaneWorld, type ControlPlaneWorld } from './control-plane-world.ts';
import { deviceWorld, type DeviceWorld } from './device-world.ts';
import { soundImage } from './image-files.ts';
import { JSON_FILES } from './json-files.ts';

const rowsFor = (into: string) =>
  hostileRows('json', into).map((row) => [nameOf(row).slice(0, 80), row] as const);
const bytesOf = (row: HostileRow): Buffer => Buffer.from(hostileBytes('json', row, JSON_FILES));
/** Of the supervisor's own process, over one request. */
const GROWTH_BYTES = 400 * 1024 ** 2;

describe('sent by operators', () => {
  let world: ControlPlaneWorld;
  beforeAll(async () => {
    world = await controlPlaneWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.each(rowsFor('operators'))('%s', { timeout: 5_000 }, async (_name, row) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await world.call('/blobs/fetch', { method: 'POST', body: bytesOf(row), headers });
    expect(await codeOf(answer)).toBe(row.code);
    expect(({} as Record<string, unknown>)['url']).toBeUndefined();
  });

  test('after all of it the API answers', async () => {
    expect((await world.call('/models')).status).toBe(200);
  });
});

describe('sent for inference', () => {
  let device: DeviceWorld;
  beforeAll(async () => {
    device = await deviceWorld();
  });
  afterAll(() => device[Symbol.asyncDispose]());

  test.each(rowsFor('inference'))('%s', { timeout: 10_000 }, async (_name, row) => {
    const bytes = bytesOf(row);
    const beforeBytes = process.memoryUsage().rss;
    expect(await codeOf(await device.infer(bytes))).toBe(row.code);
    expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(GROWTH_BYTES);
  });

  test('after all of it a picture is answered', async () => {
    const answer = await device.infer(soundImage(), { 'inference-header-content-length': '0' });
    expect(answer.status).toBe(200);
  });
});

describe('sent by devices', () => {
  test.each(rowsFor('messages'))('%s', (_name, row) => {
    const codes = (['reported', 'events', 'telemetry', 'presence'] as const).map((leaf) => {
      try {
        return decodeMessage(leaf, bytesOf(row)).schema;
      } catch (error) {
        return errorCodeOf(error);
      }
    });
    expect(codes).toEqual(Array<string>(4).fill(row.code));
  });
});
