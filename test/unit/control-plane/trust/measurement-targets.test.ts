// What is signed to be timed and what is signed to be run never stand in for each other.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTrust, type Trust } from '#control-plane/trust/open-trust.ts';
import type { ImageCustom } from '#protocol/release.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import { measureTargetPath, type MeasureCustom } from '#protocol/measurement.ts';

const SHA256 = 'a'.repeat(64);
const RELEASE = 'digits/1/cpu.json';
const CANDIDATE = measureTargetPath('digits', 1, SHA256);
const MEASURE = { profile: 'cpu', purpose: 'measure' } as const;

let folder: string;
let trust: Trust;

const open = () => openTrust({ directory: folder, now: () => new Date(Date.UTC(2030, 0, 1)) });
const add = (path: string, custom: ImageCustom | MeasureCustom) =>
  trust.image.addMeasurement({ path, length: 3, sha256: SHA256, custom });
const sign = (path: string, custom: ImageCustom | MeasureCustom) =>
  trust.image.addAuthorTargets('digits', [{ path, length: 3, sha256: SHA256, custom }]);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-trust-'));
  trust = await open();
});
afterEach(() => rm(folder, { recursive: true }));

it('a candidate is signed under its own path and with its purpose alone', async () => {
  await add(CANDIDATE, MEASURE);
  expect(trust.image.target(CANDIDATE)?.custom).toEqual(MEASURE);
  const wrong = { code: 'bad-request' };
  await expect(sign(CANDIDATE, MEASURE)).rejects.toMatchObject(wrong);
  await expect(sign(RELEASE, MEASURE)).rejects.toMatchObject(wrong);
  await expect(add(RELEASE, MEASURE)).rejects.toMatchObject(wrong);
  await expect(add(CANDIDATE, { profile: 'cpu', releaseCounter: 1 })).rejects.toMatchObject(wrong);
  await expect(add(CANDIDATE, { ...MEASURE, releaseCounter: 1 })).rejects.toMatchObject(wrong);
});

it('candidates are withdrawn one by one or all at once, and releases never', async () => {
  const other = measureTargetPath('digits', 1, 'b'.repeat(64));
  await sign(RELEASE, { profile: 'cpu', releaseCounter: 1 });
  await add(CANDIDATE, MEASURE);
  await add(other, MEASURE);
  expect(await trust.image.withdrawMeasurements(RELEASE)).toEqual([]);
  expect(trust.image.target(RELEASE)).toBeDefined();
  expect(await trust.image.withdrawMeasurements(CANDIDATE)).toEqual([SHA256]);
  expect(trust.image.target(CANDIDATE)).toBeUndefined();
  expect(trust.image.target(other)).toBeDefined();
  await trust.image.withdrawMeasurements();
  trust = await open();
  expect(trust.image.target(other)).toBeUndefined();
  expect(trust.image.target(RELEASE)).toBeDefined();
});

it('a candidate does not raise the floor that may be signed', async () => {
  await sign(RELEASE, { profile: 'cpu', releaseCounter: 1 });
  await add(CANDIDATE, MEASURE);
  await trust.image.setFloor('digits', 1);
  await expect(trust.image.setFloor('digits', 2)).rejects.toMatchObject({ code: 'not-found' });
});

it('the Director orders no candidate', async () => {
  const custom = {
    deviceId: 'edge-1', rolloutId: 'r', seq: 1, profile: 'cpu', releaseCounter: 1, policy: DEFAULT_DEPLOYMENT_POLICY,
  }; // prettier-ignore
  const order = { targetPath: CANDIDATE, length: 3, sha256: SHA256, custom };
  await expect(trust.director.setOrder('edge-1', order)).rejects.toMatchObject({ code: 'bad-request' });
  expect(await trust.director.currentOrder('edge-1')).toBeNull();
});
