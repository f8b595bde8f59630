import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { CertificateRenewal } from '#agent/adapters/certificate-renewal.ts';
import { ensureEnrolled } from '#agent/adapters/enrolment.ts';
import { IdentityFiles } from '#agent/adapters/identity-files.ts';
import { pinnedHttpsAgent } from '#agent/adapters/pinned-https.ts';
import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import type { DeviceIdentity } from '#agent/ports/identity-store.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { EnrolmentServer } from '#test/fakes/enrolment-server.ts';
import { fleetTls, type FleetTls } from '#test/fakes/fleet-tls.ts';
import { keepingLogger } from '#test/fakes/silent-logger.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

let nowMs: number;
let tls: FleetTls;
let plane: EnrolmentServer;
let identity: DeviceIdentity;
let logger: ReturnType<typeof keepingLogger>;
/** The wait that the renewal set last, which the test ends: a look ends by setting the next one. */
let waiting: PromiseWithResolvers<{ readonly delayMs: number; readonly action: () => void }>;

const storedIdentity = () => new IdentityFiles(join(tls.folder, 'identity'));
const messages = (level: string) => logger.lines.filter((line) => line.level === level).map(({ msg }) => msg);

beforeEach(async () => {
  nowMs = Date.now();
  waiting = Promise.withResolvers();
  tls = await fleetTls(() => new Date(nowMs));
  plane = await EnrolmentServer.start(tls);
  logger = keepingLogger();
  identity = await ensureEnrolled({
    store: storedIdentity(),
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

/** `aheadMs`: what the device's clock is ahead of the authority's. */
function renewal(aheadMs = 0): CertificateRenewal {
  const dispatcher = pinnedHttpsAgent(() => ({ caPem: identity.caPem }));
  const made = new CertificateRenewal({
    store: storedIdentity(),
    identity,
    dispatcher,
    clock: {
      ...systemClock,
      nowMs: () => nowMs + aheadMs,
      after(delayMs, action) {
        waiting.resolve({ delayMs, action });
        return { cancel: () => undefined };
      },
    },
    chance: systemChance,
    logger,
    onRenewed: (renewed) => void (identity = renewed),
  });
  onTestFinished(async () => {
    await made[Symbol.asyncDispose]();
    await dispatcher.destroy();
  });
  made.start();
  return made;
}

/** Ends the present wait and lets the look that follows happen. */
async function nextLook(): Promise<void> {
  const { delayMs, action } = await waiting.promise;
  nowMs += delayMs;
  waiting = Promise.withResolvers();
  action();
  await waiting.promise;
}

async function check(made: CertificateRenewal): Promise<void> {
  waiting = Promise.withResolvers();
  made.check();
  await waiting.promise;
}

test('over half a year of its clock the device never holds a certificate in its last third for long, and keeps its key', async () => {
  renewal();
  const endMs = nowMs + 180 * DAY_MS;
  const key = identity.privateKeyPem;
  let looks = 0;
  while (nowMs < endMs) {
    // An hour at a time would be 4320 real requests: what is not due is skipped as a device that sleeps would.
    nowMs += 11 * HOUR_MS;
    await nextLook();
    looks++;
    const { validToDate } = new X509Certificate(identity.certificatePem);
    expect(validToDate.getTime() - nowMs).toBeGreaterThan(10 * DAY_MS - 12 * HOUR_MS);
  }
  expect(looks).toBeGreaterThan(300);
  expect(plane.renewals).toBeGreaterThanOrEqual(8);
  expect(plane.renewals).toBeLessThanOrEqual(9);
  expect(identity.privateKeyPem).toBe(key);
  expect(await storedIdentity().load()).toEqual(identity);
  expect(plane.enrolled).toHaveLength(1);
});

test('a clock by which every new certificate is old makes it renew no more than once an hour', async () => {
  const made = renewal(29 * DAY_MS);
  await check(made);
  expect(plane.renewals).toBe(1);
  expect(await waiting.promise).toMatchObject({ delayMs: HOUR_MS });
});

test('a younger certificate is left alone', async () => {
  const made = renewal();
  nowMs += 15 * DAY_MS;
  await check(made);
  expect(plane.looks).toBe(1);
  expect(plane.renewals).toBe(0);
});

test('a refusal or a lost answer leaves the old one in use, and it is tried again', async () => {
  plane.spoiled.push('unavailable', 'lost');
  const before = identity.certificatePem;
  renewal();
  nowMs += 25 * DAY_MS;
  await nextLook();
  expect(identity.certificatePem).toBe(before);
  expect((await storedIdentity().load())?.certificatePem).toBe(before);
  await nextLook();
  await nextLook();
  expect(identity.certificatePem).not.toBe(before);
  expect(messages('warn')).toEqual([
    'the device certificate could not be renewed yet',
    'the device certificate could not be renewed yet',
  ]);
});

test('a change of the authority is followed at once, and survives a restart', async () => {
  const made = renewal();
  const old = identity;
  await tls.ca.rotate();
  plane.standing = { isRenewalDue: true };
  await check(made);
  expect(identity.caPem).toBe(tls.ca.bundlePem);
  expect(identity.caPem).toContain(old.caPem.trim());
  const certificate = new X509Certificate(identity.certificatePem);
  expect(certificate.verify(new X509Certificate(tls.ca.certificatePem).publicKey)).toBe(true);
  expect(certificate.verify(new X509Certificate(old.caPem).publicKey)).toBe(false);
  expect(await storedIdentity().load()).toEqual(identity);
});

describe('what the control plane thinks of the device is said once, in words', () => {
  test('quarantined, and released', async () => {
    const made = renewal();
    for (const state of ['quarantined', 'quarantined', 'active'] as const) {
      plane.standing = { state };
      await check(made);
    }
    expect(messages('error')).toEqual([expect.stringContaining('has quarantined this device')]);
    expect(messages('info').at(-1)).toContain('orders again');
  });

  test('revoked', async () => {
    const made = renewal();
    plane.standing = new HoldfastError('device-revoked', 'the key of gate-1 was revoked');
    for (let look = 0; look < 3; look++) {
      await check(made);
    }
    expect(messages('error')).toEqual(['device-revoked: the key of gate-1 was revoked']);
  });
});
