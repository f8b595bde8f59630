import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { CertificateRenewal } from '#agent/adapters/certificate-renewal.ts';
import { ensureEnrolled } from '#agent/adapters/enrolment.ts';
import { IdentityFiles } from '#agent/adapters/identity-files.ts';
import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import type { DeviceIdentity } from '#agent/ports/identity-store.ts';
import { EnrolmentServer } from '#test/fakes/enrolment-server.ts';
import { fleetTls, type FleetTls } from '#test/fakes/fleet-tls.ts';
import { keepingLogger } from '#test/fakes/silent-logger.ts';

const DAY_MS = 86_400_000;

let tls: FleetTls;
let plane: EnrolmentServer;
let identity: DeviceIdentity;
let logger: ReturnType<typeof keepingLogger>;

beforeEach(async () => {
  tls = await fleetTls();
  plane = await EnrolmentServer.start(tls);
  const store = new IdentityFiles(join(tls.folder, 'identity'));
  logger = keepingLogger();
  identity = await ensureEnrolled({
    store,
    server: await plane.open(),
    claim: plane.claim,
    profile: 'cpu-generic',
    claimPath: join(tls.folder, 'claim'),
    clock: systemClock,
    chance: systemChance,
    logger,
    signal: new AbortController().signal,
  });
});

/** A renewal that lives the given time after enrolment; its waits are as good as over. */
function renewal(afterMs: number): Promise<DeviceIdentity> {
  const renewed = Promise.withResolvers<DeviceIdentity>();
  const waits: number[] = [];
  const made = new CertificateRenewal({
    store: new IdentityFiles(join(tls.folder, 'identity')),
    identity,
    claimPath: join(tls.folder, 'claim'),
    profile: 'cpu-generic',
    clock: {
      ...systemClock,
      nowMs: () => Date.now() + afterMs,
      after: (delayMs, action) => {
        waits.push(delayMs);
        return systemClock.after(delayMs === 0 || waits.length > 1 ? 0 : 1e6, action);
      },
    },
    chance: systemChance,
    logger,
    onRenewed: renewed.resolve,
  });
  onTestFinished(() => made[Symbol.asyncDispose]());
  made.start();
  return renewed.promise;
}

test('a certificate with a third of its life left is renewed for the same key, and kept', async () => {
  const renewed = await renewal(21 * DAY_MS);
  expect(renewed.certificatePem).not.toBe(identity.certificatePem);
  expect(renewed.privateKeyPem).toBe(identity.privateKeyPem);
  expect(await new IdentityFiles(join(tls.folder, 'identity')).load()).toEqual(renewed);
  expect(plane.enrolled).toHaveLength(2);
});

test('a younger one is left alone', async () => {
  void renewal(15 * DAY_MS);
  await new Promise((resolve) => setImmediate(resolve));
  expect(plane.enrolled).toHaveLength(1);
});

test('a refusal or a lost answer leaves the old one in use, and it is tried again', async () => {
  plane.spoiled.push('unavailable', 'lost');
  const renewed = await renewal(25 * DAY_MS);
  expect(renewed.certificatePem).not.toBe(identity.certificatePem);
  const warnings = logger.lines.filter(({ level }) => level === 'warn');
  expect(warnings.map(({ msg }) => msg)).toEqual([
    'the device certificate could not be renewed yet',
    'the device certificate could not be renewed yet',
  ]);
});

test('without the claim it says what to do', async () => {
  await rm(join(tls.folder, 'claim'));
  void renewal(25 * DAY_MS);
  while (!logger.lines.some(({ level }) => level === 'warn'))
    await new Promise((resolve) => setImmediate(resolve));
  expect(logger.lines.find(({ level }) => level === 'warn')?.fields['error']).toMatchObject({
    code: 'identity-missing',
  });
});
