import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ensureEnrolled, type EnrolmentOptions } from '#agent/adapters/enrolment.ts';
import { IdentityFiles } from '#agent/adapters/identity-files.ts';
import { systemClock } from '#agent/adapters/system-clock.ts';
import type { Clock } from '#agent/ports/clock.ts';
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
