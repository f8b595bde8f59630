import { randomBytes } from 'node:crypto';
import { access, mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { HttpsArtifacts } from '#agent/adapters/https-artifacts.ts';
import { pinnedHttpsAgent } from '#agent/adapters/pinned-https.ts';
import { systemClock } from '#agent/adapters/system-clock.ts';
import type { Clock } from '#agent/ports/clock.ts';
import type { Logger } from '#agent/ports/logger.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import { digestOf } from '#test/fakes/agent-releases.ts';
import { answerBytes, answerStatus, BlobGateway, breakAfter } from '#test/fakes/blob-gateway.ts';
import { fleetTls, type DeviceTls, type FleetTls } from '#test/fakes/fleet-tls.ts';
import { silentLogger } from '#test/fakes/silent-logger.ts';

const BYTES = randomBytes(3 * 1024 ** 2);
const BLOB: BlobRef = { sha256: digestOf(BYTES), sizeBytes: BYTES.length };
/** Waits are cut short; their lengths are tested with the backoff rule. */
const hasty: Clock = { ...systemClock, after: (delayMs, action) => systemClock.after(delayMs / 100, action) };

let tls: FleetTls;
let gateway: BlobGateway;
let device: DeviceTls;
let folder: string;

beforeEach(async () => {
  tls = await fleetTls();
  gateway = await BlobGateway.start(tls);
  gateway.blobs.set(BLOB.sha256, BYTES);
  device = await tls.device('gate-1');
  folder = join(tls.folder, 'blobs');
});

interface Change {
  readonly freeBytes?: () => Promise<number>;
  readonly dispatcher?: Dispatcher;
  readonly logger?: Logger;
}

function source(change: Change = {}): HttpsArtifacts {
  const dispatcher = change.dispatcher ?? pinnedHttpsAgent(() => device);
  onTestFinished(() => dispatcher.destroy());
  const { freeBytes } = change;
  return new HttpsArtifacts({
    directory: folder,
    gatewayUrl: gateway.url,
    dispatcher,
    clock: hasty,
    chance: { uniform: () => 0, id: () => 'x' },
    logger: change.logger ?? silentLogger,
    ...(freeBytes === undefined ? {} : { freeBytes }),
  });
}

const never = (): AbortSignal => new AbortController().signal;
const names = (): Promise<string[]> => readdir(folder);

describe('a download', () => {
  test('ends with the whole verified blob under its digest, and nothing else', async () => {
    const progress: number[] = [];
    const path = await source().fetch(BLOB, { signal: never(), onProgress: (bytes) => progress.push(bytes) });
    expect(digestOf(await readFile(path))).toBe(BLOB.sha256);
    expect(await names()).toEqual([BLOB.sha256]);
    expect(progress.at(-1)).toBe(BYTES.length);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  });

  test('goes on from where the connection broke, also when it breaks again', async () => {
    gateway.spoiled.push(breakAfter(1_000_000), breakAfter(500_000), answerStatus(503), breakAfter(0));
    const path = await source().fetch(BLOB, { signal: never() });
    expect(digestOf(await readFile(path))).toBe(BLOB.sha256);
    expect(gateway.ranges[0]).toBeNull();
    const starts = gateway.ranges.slice(1).map((range) => Number(/\d+/.exec(range ?? '')?.[0]));
    expect(starts[0]).toBeGreaterThan(0);
    expect(starts.at(-1)).toBeGreaterThan(starts[0]!);
  });

  test('goes on from the bytes that a killed process left', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${BLOB.sha256}.partial`), BYTES.subarray(0, 1_234_567));
    const path = await source().fetch(BLOB, { signal: never() });
    expect(gateway.ranges).toEqual(['bytes=1234567-']);
    expect(digestOf(await readFile(path))).toBe(BLOB.sha256);
  });

  test('needs no network for a blob that is there, and fetches a damaged one again', async () => {
    const path = await source().fetch(BLOB, { signal: never() });
    await source().fetch(BLOB, { signal: never() });
    expect(gateway.ranges).toHaveLength(1);
    const damaged = Buffer.from(BYTES);
    damaged[77] = damaged[77]! ^ 1;
    await writeFile(path, damaged);
    expect(digestOf(await readFile(await source().fetch(BLOB, { signal: never() })))).toBe(BLOB.sha256);
    expect(gateway.ranges).toHaveLength(2);
  });

  test('starts over when the server does not do ranges', async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${BLOB.sha256}.partial`), randomBytes(999));
    gateway.spoiled.push(answerBytes(BYTES));
    expect(digestOf(await readFile(await source().fetch(BLOB, { signal: never() })))).toBe(BLOB.sha256);
  });

  test('of one blob twice at a time takes the bytes once', async () => {
    const artifacts = source();
    const paths = await Promise.all([1, 2].map(() => artifacts.fetch(BLOB, { signal: never() })));
    expect(new Set(paths).size).toBe(1);
    expect(gateway.ranges).toHaveLength(1);
  });
});

describe('wrong bytes', () => {
  test('a flipped byte is thrown away and asked for again from the start', async () => {
    const flipped = Buffer.from(BYTES);
    flipped[2_000_000] = flipped[2_000_000]! ^ 0x10;
    gateway.spoiled.push(answerBytes(flipped));
    expect(digestOf(await readFile(await source().fetch(BLOB, { signal: never() })))).toBe(BLOB.sha256);
    expect(gateway.ranges).toEqual([null, null]);
  });

  test('that come every time are a digest mismatch, and nothing half-written stays', async () => {
    gateway.blobs.set(BLOB.sha256, randomBytes(BYTES.length));
    await expect(source().fetch(BLOB, { signal: never() })).rejects.toMatchObject({
      code: 'digest-mismatch',
    });
    expect(gateway.ranges).toEqual([null, null, null]);
    expect(await names()).toEqual([]);
  });

  test('more bytes than were signed are never taken', async () => {
    gateway.blobs.set(BLOB.sha256, Buffer.concat([BYTES, randomBytes(50_000_000)]));
    let received = 0;
    const fetching = source().fetch(BLOB, { signal: never(), onProgress: (bytes) => (received = bytes) });
    await expect(fetching).rejects.toMatchObject({ code: 'length-mismatch' });
    expect(received).toBeLessThanOrEqual(BLOB.sizeBytes);
    expect(await names()).toEqual([]);
  });

  test('a redirect is not followed', async () => {
    for (let index = 0; index < 3; index++)
      gateway.spoiled.push(answerStatus(302, { location: `${gateway.url}/blobs/${BLOB.sha256}` }));
    await expect(source().fetch(BLOB, { signal: never() })).rejects.toMatchObject({
      code: 'download-failed',
    });
    expect(gateway.ranges).toHaveLength(3);
  });
});

describe('what cannot be had', () => {
  test('a blob that the gateway does not have is told after a few tries', async () => {
    const missing = { sha256: digestOf('nowhere'), sizeBytes: 10 };
    const failing = source().fetch(missing, { signal: never() });
    await expect(failing).rejects.toMatchObject({
      code: 'download-failed',
      hint: expect.stringContaining('upload'),
    });
    expect(gateway.ranges).toHaveLength(3);
  });

  test('a server of another authority is never asked', async () => {
    const other = await fleetTls();
    const stranger = pinnedHttpsAgent(() => ({ ...device, caPem: other.ca.certificatePem }));
    const stop = new AbortController();
    const logger = { ...silentLogger, warn: () => stop.abort() };
    const fetching = source({ dispatcher: stranger, logger }).fetch(BLOB, { signal: stop.signal });
    await expect(fetching).rejects.toMatchObject({ code: 'cancelled' });
    expect(gateway.ranges).toEqual([]);
  });

  test('an abort ends it at once and keeps what came', async () => {
    const stop = new AbortController();
    gateway.spoiled.push(
      (_request, response, blob) => void response.writeHead(200).write(blob.subarray(0, 500_000)),
    );
    const fetching = source().fetch(BLOB, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(fetching).rejects.toMatchObject({ code: 'cancelled' });
    expect(await names()).toEqual([`${BLOB.sha256}.partial`]);
  });

  test('too little free disk is told before the first byte', async () => {
    const failing = source({ freeBytes: () => Promise.resolve(BLOB.sizeBytes) }).fetch(BLOB, {
      signal: never(),
    });
    await expect(failing).rejects.toMatchObject({
      code: 'disk-full',
      hint: expect.stringContaining('free space'),
    });
    expect(gateway.ranges).toEqual([]);
  });

  test.runIf(process.platform === 'linux')(
    'a disk that fills up on the way ends it, and gives the space back',
    async () => {
      await mkdir(folder, { recursive: true });
      const partial = join(folder, `${BLOB.sha256}.partial`);
      await symlink('/dev/full', partial); // every write to it is answered ENOSPC
      await expect(source().fetch(BLOB, { signal: never() })).rejects.toMatchObject({ code: 'disk-full' });
      await expect(access(partial)).rejects.toThrow('ENOENT');
    },
  );
});

test('keepOnly deletes every other blob and partial file, and nothing that is not a blob', async () => {
  const artifacts = source();
  await artifacts.fetch(BLOB, { signal: never() });
  await writeFile(join(folder, digestOf('old')), 'old');
  await writeFile(join(folder, `${digestOf('half')}.partial`), 'half');
  await writeFile(join(folder, 'README'), 'mine');
  await artifacts.keepOnly(new Set([BLOB.sha256]));
  expect((await names()).sort()).toEqual([BLOB.sha256, 'README'].sort());
});

test('a blob cut short on disk is not taken for whole', async () => {
  const path = await source().fetch(BLOB, { signal: never() });
  await truncate(path, 100);
  expect(digestOf(await readFile(await source().fetch(BLOB, { signal: never() })))).toBe(BLOB.sha256);
});
