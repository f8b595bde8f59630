// Addresses that a control plane must not fetch from, asked for over HTTP: hosts that nobody listed, listed ones that
// are on an inner network, and those that no listing opens.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostileRows, nameOf, type HostileRow } from './corpus.ts';
import { codeOf, controlPlaneWorld, type ControlPlaneWorld } from './control-plane-world.ts';

const bytes = Buffer.from('weights in a bucket');
const blob = { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length };
const unlisted = hostileRows('urls', 'blob fetch');
const listed = hostileRows('urls', 'blob fetch from its listed host');
const listedPrivate = hostileRows('urls', 'blob fetch from its listed private host');

const bucket = createServer((_, response) => void response.end(bytes));
let world: ControlPlaneWorld;
let port: number;
beforeAll(async () => {
  await once(bucket.listen(0, '127.0.0.1'), 'listening');
  ({ port } = bucket.address() as AddressInfo);
  const origin = ({ text = '' }: HostileRow): string => new URL(text).origin;
  const hosts = [...listed.map(origin), ...listedPrivate.map((row) => `${origin(row)}+private`)];
  world = await controlPlaneWorld({
    HOLDFAST_FETCH_HOSTS: [...new Set(hosts), `http://127.0.0.1:${port}+private`].join(','),
  });
});
afterAll(async () => {
  bucket.close();
  await world[Symbol.asyncDispose]();
});

test.each([...unlisted, ...listed, ...listedPrivate].map((row) => [nameOf(row), row] as const))(
  '%s',
  { timeout: 5_000 },
  async (_name, { text, code }) => {
    expect(await codeOf(await world.post('/blobs/fetch', { url: text, ...blob }))).toBe(code);
  },
);

test('after all of it nothing is stored, and a listed host is fetched from', async () => {
  expect(await world.stored()).toEqual([]);
  const answer = await world.post('/blobs/fetch', {
    url: `http://127.0.0.1:${port}/w?signature=secret`,
    ...blob,
  });
  expect(await answer.json()).toEqual(blob);
  expect(await world.stored()).toEqual([blob.sha256]);
  const audited = await (await world.call('/audit')).text();
  expect(audited).toContain(`http://127.0.0.1:${port}/w`);
  expect(audited).not.toContain('signature=secret');
});

test('the command line asks for a fetch, and tells a refusal', async () => {
  const wanted = ['--sha256', blob.sha256, '--size', String(blob.sizeBytes)];
  expect(await world.holdfast('blob', 'fetch', `http://127.0.0.1:${port}/w`, ...wanted)).toMatchObject({
    code: 0,
    out: expect.stringContaining(blob.sha256) as string,
  });
  expect(await world.holdfast('blob', 'fetch', 'https://models.example/w', ...wanted)).toMatchObject({
    code: 2,
    out: expect.stringContaining('not listed') as string,
  });
});
