import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectorRepository } from '#control-plane/trust/director-repository.ts';
import type { DirectorOrder } from '#control-plane/trust/director-repository.ts';
import { KeyStore } from '#control-plane/trust/keys/key-store.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';

const HOUR_MS = 3_600_000;

let folder: string;
let nowMs: number;
let director: DirectorRepository;

const open = async () =>
  await DirectorRepository.open({
    directory: join(folder, 'director'),
    keyStore: await KeyStore.open(join(folder, 'keys')),
    now: () => new Date(nowMs),
  });
const order = (seq: number, deviceId = 'edge-1', version = 1): DirectorOrder => ({
  targetPath: `digits/${version}/cpu.json`,
  length: 10,
  sha256: 'a'.repeat(64),
  custom: {
    deviceId,
    rolloutId: 'r-1',
    seq,
    profile: 'cpu',
    releaseCounter: version,
    policy: DEFAULT_DEPLOYMENT_POLICY,
  },
});
const timestamp = async (deviceId = 'edge-1') => {
  const bytes = await director.readDirectorFile(deviceId, 'timestamp.json');
  const { signed } = JSON.parse(String(bytes)) as {
    signed: { version: number; expires: string; holdfast: unknown };
  };
  return signed;
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-director-'));
  nowMs = Date.UTC(2030, 0, 1);
  director = await open();
});
afterEach(() => rm(folder, { recursive: true }));

describe('orders', () => {
  it('are null for a device that enrolled, and there is nothing for one that did not', async () => {
    await director.ensureDevice('edge-1');
    expect(await director.currentOrder('edge-1')).toBeNull();
    expect(await timestamp()).toMatchObject({ version: 1, holdfast: { deviceId: 'edge-1' } });
    expect(await director.currentOrder('edge-2')).toBeNull();
    expect(await director.readDirectorFile('edge-2', 'timestamp.json')).toBeNull();
    expect(await director.readDirectorFile('edge-2', '1.root.json')).toBeNull();
  });

  it('come back as they were given, also after a restart', async () => {
    await director.setOrder('edge-1', order(4));
    expect(await director.currentOrder('edge-1')).toEqual(order(4));
    director = await open();
    expect(await director.currentOrder('edge-1')).toEqual(order(4));
  });

  it('replace one another', async () => {
    await director.setOrder('edge-1', order(1, 'edge-1', 1));
    await director.setOrder('edge-1', order(2, 'edge-1', 2));
    const targets = String(await director.readDirectorFile('edge-1', '3.targets.json'));
    expect(targets).toContain('digits/2/cpu.json');
    expect(targets).not.toContain('digits/1/cpu.json');
  });

  it('are refused for another device, a wrong digest or a malformed order', async () => {
    await expect(director.setOrder('edge-1', order(1, 'edge-2'))).rejects.toMatchObject({
      code: 'bad-request',
    });
    await expect(director.setOrder('edge-1', { ...order(1), sha256: 'x' })).rejects.toMatchObject({
      code: 'bad-request',
    });
    await expect(director.setOrder('edge-1', order(-1))).rejects.toMatchObject({ code: 'bad-request' });
    expect(await director.readDirectorFile('edge-1', 'timestamp.json')).toBeNull();
  });

  it('only rise in seq, whatever comes in whatever order', async () => {
    const orders = fc.array(
      fc.record({ seq: fc.integer({ min: 1, max: 6 }), version: fc.integer({ min: 1, max: 2 }) }),
      {
        maxLength: 8,
      },
    );
    let count = 0;
    await fc.assert(
      fc.asyncProperty(orders, async (list) => {
        const deviceId = `edge-${(count += 1)}`;
        await director.ensureDevice(deviceId);
        let present: DirectorOrder | null = null;
        let version = 1;
        for (const { seq, version: release } of list) {
          const next = order(seq, deviceId, release);
          const rises: boolean = present === null || seq > present.custom.seq;
          const isSame =
            present !== null && seq === present.custom.seq && next.targetPath === present.targetPath;
          const outcome = director.setOrder(deviceId, next);
          if (rises || isSame) await outcome;
          else await expect(outcome).rejects.toMatchObject({ code: 'conflict' });
          if (rises) [present, version] = [next, version + 1];
          expect((await timestamp(deviceId)).version).toBe(version);
        }
        expect(await director.currentOrder(deviceId)).toEqual(present);
      }),
      { numRuns: 25 },
    );
  });
});

describe('signing anew', () => {
  it('happens for every device once half a day is left, also for devices not seen since the start', async () => {
    for (const deviceId of ['edge-1', 'edge-2', 'edge-3'])
      await director.setOrder(deviceId, order(1, deviceId));
    expect(await director.resignExpiring()).toBe(0);
    nowMs += 11 * HOUR_MS;
    expect(await director.resignExpiring()).toBe(0);
    nowMs += 2 * HOUR_MS;
    director = await open();
    expect(await director.resignExpiring()).toBe(3);
    expect(await director.resignExpiring()).toBe(0);
    expect(await timestamp('edge-2')).toMatchObject({ version: 3, expires: '2030-01-02T13:00:00Z' });
    expect(await director.currentOrder('edge-2')).toEqual(order(1, 'edge-2'));
  });

  it('goes on to the other devices when one is broken, and says so', async () => {
    for (const deviceId of ['edge-1', 'edge-2', 'edge-3'])
      await director.setOrder(deviceId, order(1, deviceId));
    nowMs += 20 * HOUR_MS;
    await writeFile(join(folder, 'director', 'devices', 'edge-2', 'timestamp.json'), '{');
    director = await open();
    await expect(director.resignExpiring()).rejects.toThrow(AggregateError);
    expect((await timestamp('edge-3')).version).toBe(3);
  });
});

describe('a device that is removed', () => {
  it('is told nothing any more, also after a restart or a removal that was cut off', async () => {
    for (const deviceId of ['edge-1', 'edge-2']) await director.setOrder(deviceId, order(1, deviceId));
    await director.removeDevice('edge-1');
    await director.removeDevice('edge-3');
    expect(await director.readDirectorFile('edge-1', 'timestamp.json')).toBeNull();
    expect(await director.currentOrder('edge-1')).toBeNull();
    await mkdir(join(folder, 'director', 'removed', 'edge-1'), { recursive: true });
    director = await open();
    expect(await readdir(join(folder, 'director'))).toEqual(['1.root.json', 'devices']);
    nowMs += 20 * HOUR_MS;
    expect(await director.resignExpiring()).toBe(1);
    expect(await readdir(join(folder, 'director', 'devices'))).toEqual(['edge-2']);
  });

  it('gets no order that was under way, and may enrol again', async () => {
    await director.setOrder('edge-1', order(1));
    const both = await Promise.allSettled([
      director.removeDevice('edge-1'),
      director.setOrder('edge-1', order(2)),
    ]);
    expect(both[0].status).toBe('fulfilled');
    if (both[1].status === 'rejected') expect(both[1].reason).toMatchObject({ code: 'not-found' });
    expect(await director.currentOrder('edge-1')).toBeNull();
    await director.ensureDevice('edge-1');
    expect(await timestamp()).toMatchObject({ version: 1 });
  });
});

describe('reading', () => {
  it('gives nothing outside the device, whatever the names', async () => {
    await director.ensureDevice('edge-1');
    const odd = fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      'edge-1',
      'timestamp.json',
      '1.root.json',
      'devices',
      '\0',
    );
    const name = fc.oneof(
      fc.string(),
      fc.array(odd, { minLength: 2, maxLength: 5 }).map((parts) => parts.join('')),
    );
    await fc.assert(
      fc.asyncProperty(name, async (value) => {
        expect(await director.readDirectorFile(value, 'timestamp.json')).toBeNull();
        expect(await director.readDirectorFile('edge-1', value)).toBeNull();
      }),
    );
    expect(await director.readDirectorFile('edge-1', '1.root.json')).toEqual(
      Buffer.from(director.trustedRoot),
    );
    expect(await readdir(join(folder, 'director', 'devices'))).toEqual(['edge-1']);
  });
});
