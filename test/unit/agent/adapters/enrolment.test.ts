import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ensureEnrolled, type EnrolmentOptions } from '#agent/adapters/enrolment.ts';
import { postEnrolment } from '#agent/adapters/enrolment-client.ts';
import { IdentityFiles } from '#agent/adapters/identity-files.ts';
import { systemClock } from '#agent/adapters/system-clock.ts';
import type { Clock } from '#agent/ports/clock.ts';
import { formatClaimToken, parseClaimToken } from '#protocol/claim-token.ts';
import { keyFingerprint } from '#protocol/key-fingerprint.ts';
import { EnrolmentServer } from '#test/fakes/enrolment-server.ts';
import { fleetTls, type FleetTls } from '#test/fakes/fleet-tls.ts';
import { keepingLogger } from '#test/fakes/silent-logger.ts';

const hasty: Clock = { ...systemClock, after: (delayMs, action) => systemClock.after(delayMs / 100, action) };

let tls: FleetTls;
let plane: EnrolmentServer;
let url: string;

beforeEach(async () => {
  tls = await fleetTls();
  plane = await EnrolmentServer.start(tls);
  url = await plane.open();
});

function options(
  change: Partial<EnrolmentOptions> = {},
): EnrolmentOptions & { logger: ReturnType<typeof keepingLogger> } {
  return {
    store: new IdentityFiles(join(tls.folder, 'identity')),
    server: url,
    claim: plane.claim,
    profile: 'cpu-generic',
    claimPath: join(tls.folder, 'claim'),
    clock: hasty,
    chance: { uniform: () => 0, id: () => 'x' },
    signal: new AbortController().signal,
    ...change,
    logger: keepingLogger(),
  };
}

test('a device gets an identity for its own key, and keeps it and the claim on disk', async () => {
  const given = options();
  const identity = await ensureEnrolled(given);
  expect(identity).toMatchObject({ deviceId: 'gate-1', fleet: 'test', caPem: tls.ca.certificatePem });
  expect(await given.store.load()).toEqual(identity);
  expect(plane.enrolled).toMatchObject([{ claim: plane.claim, profile: 'cpu-generic' }]);
  expect(await readFile(given.claimPath, 'utf8')).toBe(plane.claim);
});

test('the claim is not sent to a gateway without TLS', async () => {
  const info = { caPem: tls.ca.certificatePem, gatewayUrl: url };
  const body = { claim: plane.claim, csrPem: 'x', profile: 'cpu-generic' };
  const { signal } = new AbortController();
  await expect(postEnrolment(info, body, signal)).rejects.toMatchObject({
    code: 'ca-mismatch',
    message: expect.stringContaining('not reached over TLS') as string,
  });
});

test('a device that has enrolled needs neither claim nor server', async () => {
  const first = await ensureEnrolled(options());
  const again = await ensureEnrolled(options({ claim: undefined, server: 'http://127.0.0.1:1' }));
  expect(again).toEqual(first);
  expect(plane.enrolled).toHaveLength(1);
});

test('a lost answer is asked for again with the same key', async () => {
  plane.spoiled.push('lost', 'lost');
  await ensureEnrolled(options());
  const keys = await Promise.all(plane.enrolled.map(({ csrPem }) => publicKeyOf(csrPem)));
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
});

test('a control plane that is not there yet is waited for, and that is said', async () => {
  const late = await EnrolmentServer.start(tls);
  const port = await freePort();
  const given = options({ server: `http://127.0.0.1:${port}` });
  const enrolling = ensureEnrolled(given);
  while (given.logger.lines.length < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(given.logger.lines[0]).toMatchObject({ level: 'warn', msg: 'cannot enrol yet; trying again' });
  await late.open(port);
  expect(await enrolling).toMatchObject({ deviceId: 'gate-1' });
});

test('a stop ends the waiting', async () => {
  const stop = new AbortController();
  const given = options({ server: `http://127.0.0.1:${await freePort()}`, signal: stop.signal });
  const enrolling = ensureEnrolled(given);
  while (given.logger.lines.length < 1) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('enough'));
  await expect(enrolling).rejects.toThrow();
});

describe('what is final', () => {
  test.each(['claim-invalid', 'claim-spent', 'claim-expired', 'profile-unknown', 'conflict'] as const)(
    '%s',
    async (code) => {
      plane.spoiled.push(code);
      await expect(ensureEnrolled(options())).rejects.toMatchObject({
        code,
        message: `refused: ${code}`,
        hint: 'make a new one',
      });
    },
  );

  test('a claim that is not whole, without asking anybody', async () => {
    await expect(
      ensureEnrolled(options({ claim: 'hfc.abc', server: 'http://127.0.0.1:9' })),
    ).rejects.toMatchObject({ code: 'claim-invalid' });
  });

  test('no claim at all', async () => {
    await expect(ensureEnrolled(options({ claim: undefined }))).rejects.toMatchObject({ code: 'bad-config' });
  });

  test('an authority that is not the one of the claim, and the secret stays here', async () => {
    const other = await fleetTls();
    plane.caPem = other.ca.certificatePem;
    await expect(ensureEnrolled(options())).rejects.toMatchObject({ code: 'ca-mismatch' });
    expect(plane.enrolled).toEqual([]);
  });

  test('something that is no control plane', async () => {
    plane.caPem = 'x'.repeat(30_000);
    await expect(ensureEnrolled(options())).rejects.toMatchObject({
      code: 'bad-config',
      hint: 'check --server',
    });
  });
});

test.each(['unavailable', 'rate-limited', 'internal'] as const)(
  '%s passes, and is tried again',
  async (code) => {
    plane.spoiled.push(code);
    await ensureEnrolled(options());
    expect(plane.enrolled).toHaveLength(1);
  },
);

test('a person is waited for with the same key and claim, and the key is shown for her to compare', async () => {
  plane.spoiled.push('approval-pending', 'approval-pending');
  const given = options();
  const identity = await ensureEnrolled(given);
  const { publicKey } = new X509Certificate(identity.certificatePem);
  const sha256 = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  expect(given.logger.lines.slice(0, 2)).toMatchObject(
    [1, 2].map((attempt) => ({
      level: 'warn',
      msg: `waits for a person's approval; the key of this device is ${keyFingerprint(sha256)}`,
      fields: { attempt },
    })),
  );
  expect(plane.enrolled).toHaveLength(1);
});

describe('a device whose certificate has ended', () => {
  const later: Clock = { ...hasty, nowMs: () => Date.now() + 31 * 86_400_000 };

  test('enrols again with a claim that is new to it, with the key it has', async () => {
    const first = await ensureEnrolled(options());
    const claim = formatClaimToken({ ...parseClaimToken(plane.claim), claimId: 'another1' });
    const again = await ensureEnrolled(options({ claim, clock: later }));
    expect(again.certificatePem).not.toBe(first.certificatePem);
    expect(again.privateKeyPem).toBe(first.privateKeyPem);
    expect(plane.enrolled.map((one) => one.claim)).toEqual([plane.claim, claim]);
    expect(await readFile(join(tls.folder, 'claim'), 'utf8')).toBe(claim);
  });

  test('starts with what it has under the claim it used, and serves', async () => {
    const first = await ensureEnrolled(options());
    expect(await ensureEnrolled(options({ clock: later }))).toEqual(first);
    expect(plane.enrolled).toHaveLength(1);
  });
});

test('a clock that is far off is named as the cause', async () => {
  const start = Date.UTC(2020, 0, 1);
  const old = await fleetTls(() => new Date(start));
  const server = await EnrolmentServer.start(old);
  const stop = new AbortController();
  const given = options({ server: await server.open(), claim: server.claim, signal: stop.signal });
  const enrolling = ensureEnrolled(given);
  while (given.logger.lines.length < 1) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('enough'));
  await expect(enrolling).rejects.toThrow();
  expect(given.logger.lines[0]?.fields['error']).toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/certificate is not valid at 20.*which is the time of this device/),
    hint: expect.stringContaining('set the clock of this device'),
  });
});

test('of several authorities only the one of the claim is believed', async () => {
  const stranger = await fleetTls();
  plane.caPem = stranger.ca.certificatePem + tls.ca.certificatePem;
  await ensureEnrolled(options());
  expect(plane.enrolled).toHaveLength(1);
  plane.caPem = tls.ca.certificatePem + stranger.ca.certificatePem;
  const elsewhere = { store: new IdentityFiles(join(tls.folder, 'other')) };
  await ensureEnrolled(options(elsewhere));
  expect(plane.enrolled).toHaveLength(2);
});

async function publicKeyOf(csrPem: string): Promise<string> {
  const { certificatePem } = await tls.ca.issueDeviceCertificate({ deviceId: 'gate-1', csrPem });
  return new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
