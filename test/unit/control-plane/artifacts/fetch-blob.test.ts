import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { parseFetchHosts } from '#control-plane/artifacts/address-hosts.ts';
import { fetchBlob, type FetchDeps } from '#control-plane/artifacts/fetch-blob.ts';
import { FileBlobStore } from '#control-plane/artifacts/file-blob-store.ts';

const bytes = Buffer.from('weights in a bucket');
const blob = { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length };

interface Bucket {
  readonly deps: FetchDeps;
  readonly port: number;
  /** Requests that reached the server. */
  readonly asked: string[];
  readonly stored: () => Promise<string[]>;
}

/** A server on loopback and a blob store; the host `bucket.test` resolves to it and may be private. */
async function bucket(answer: RequestListener = (_, response) => void response.end(bytes)): Promise<Bucket> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.host ?? '');
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-fetch-'));
  const blobs = await FileBlobStore.open(folder);
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });
  const deps: FetchDeps = {
    blobs,
    hosts: parseFetchHosts(`http://bucket.test:${port}+private,http://public.test:${port}`),
    resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
    limits: { idleMs: 1_000, totalMs: 3_000 },
  };
  return { deps, port, asked, stored: () => readdir(folder) };
}

const refused = (code: string, message: RegExp) => ({
  code,
  message: expect.stringMatching(message) as string,
});

it('fetches a blob of known digest and length, resolving the name once', async () => {
  const { deps, port, asked } = await bucket();
  const resolve = vi.fn<NonNullable<FetchDeps['resolve']>>(() =>
    Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
  );
  const url = `http://bucket.test:${port}/weights?signature=x`;
  expect(await fetchBlob({ ...deps, resolve }, url, blob)).toEqual(blob);
  expect(resolve).toHaveBeenCalledTimes(1);
  expect(asked).toEqual([`bucket.test:${port}`]);
  expect(await fetchBlob(deps, url, blob)).toEqual(blob);
  expect(asked).toHaveLength(1);
});

it('connects to nothing when any address of a name is on an inner network', async () => {
  const { deps, port, asked } = await bucket();
  const resolve = () =>
    Promise.resolve([
      { address: '93.184.216.34', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
  await expect(fetchBlob({ ...deps, resolve }, `http://public.test:${port}/`, blob)).rejects.toMatchObject(
    refused('address-forbidden', /inner network/),
  );
  expect(asked).toEqual([]);
});

it('does not ask again what the name leads to, so that it cannot change in between', async () => {
  const { deps, port } = await bucket();
  let looks = 0;
  const resolve = () => Promise.resolve([{ address: looks++ === 0 ? '127.0.0.1' : '10.0.0.1', family: 4 }]);
  await fetchBlob({ ...deps, resolve }, `http://bucket.test:${port}/`, blob);
  expect(looks).toBe(1);
});

it.each<[string, RequestListener, string, RegExp]>([
  ['a redirect', (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1/' }).end(), 'download-failed', /redirect/],
  ['an error', (_, response) => void response.writeHead(500).end(), 'download-failed', /answered 500/],
  ['no content', (_, response) => void response.writeHead(204).end(), 'download-failed', /answered 204/],
  ['a part', (_, response) => void response.writeHead(206).end(bytes), 'download-failed', /answered 206/],
  ['an encoded answer', (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bytes), 'download-failed', /encoded/],
  ['another declared length', (_, response) => void response.writeHead(200, { 'content-length': 1_000 }).end(), 'length-mismatch', /1000 bytes/],
  ['more than was announced', (_, response) => void (response.write(bytes), response.end('!')), 'length-mismatch', /more than/],
  ['less than was announced', (_, response) => void (response.write('weights'), response.end()), 'length-mismatch', /has 7 bytes/],
  ['other bytes', (_, response) => void response.end(bytes.map((byte) => byte ^ 1)), 'digest-mismatch', /sha256/],
  ['silence', () => undefined, 'download-failed', /UND_ERR_HEADERS_TIMEOUT/],
  ['silence within', (_, response) => void response.write('wei'), 'download-failed', /UND_ERR_BODY_TIMEOUT/],
  ['a reset', (request) => void request.socket.destroy(), 'download-failed', /connection failed/],
  ['an endless head', ({ socket }) => void (socket.write('HTTP/1.1 200 OK\r\n'), socket.end(`x: ${'y'.repeat(1_000_000)}`)), 'download-failed', /connection failed/],
])('refuses %s and keeps nothing', async (_what, answer, code, message) => {
  const { deps, port, stored } = await bucket(answer);
  await expect(fetchBlob(deps, `http://bucket.test:${port}/`, blob)).rejects.toMatchObject(refused(code, message));
  expect(await stored()).toEqual([]);
}); // prettier-ignore

it('gives up on a server that sends a byte now and then', async () => {
  const { deps, port, stored } = await bucket((_, response) => {
    const timer = setInterval(() => response.write('w'), 200);
    response.on('close', () => clearInterval(timer));
  });
  const large = { ...blob, sizeBytes: 1_000_000 };
  await expect(fetchBlob(deps, `http://bucket.test:${port}/`, large)).rejects.toMatchObject({
    code: 'download-failed',
  });
  expect(await stored()).toEqual([]);
});

it('says so when a name does not resolve', async () => {
  const { blobs } = (await bucket()).deps;
  const hosts = parseFetchHosts('nowhere.invalid');
  await expect(fetchBlob({ blobs, hosts }, 'https://nowhere.invalid/', blob)).rejects.toMatchObject({
    code: 'download-failed',
  });
});
