import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HttpsArtifacts } from '#agent/adapters/https-artifacts.ts';
import { pinnedHttpsAgent } from '#agent/adapters/pinned-https.ts';
import { systemClock } from '#agent/adapters/system-clock.ts';
import type { ArtifactSource } from '#agent/ports/artifact-source.ts';
import { digestOf } from '#test/fakes/agent-releases.ts';
import { BlobGateway } from '#test/fakes/blob-gateway.ts';
import { fleetTls } from '#test/fakes/fleet-tls.ts';
import { MemoryArtifacts } from '#test/fakes/memory-artifacts.ts';
import { silentLogger } from '#test/fakes/silent-logger.ts';

interface Subject {
  readonly source: ArtifactSource;
  readonly remote: Map<string, Buffer>;
  readonly folder: string;
  readonly away: () => Promise<void>;
}

async function overHttps(): Promise<Subject> {
  const tls = await fleetTls();
  const gateway = await BlobGateway.start(tls);
  const device = await tls.device('gate-1');
  const dispatcher = pinnedHttpsAgent(() => device);
  onTestFinished(() => dispatcher.destroy());
  const folder = join(tls.folder, 'blobs');
  const source = new HttpsArtifacts({
    directory: folder,
    gatewayUrl: gateway.url,
    dispatcher,
    clock: { ...systemClock, after: (_delayMs, action) => systemClock.after(0, action) },
    chance: { uniform: () => 0, id: () => 'x' },
    logger: silentLogger,
  });
  return { source, remote: gateway.blobs, folder, away: () => gateway.stop() };
}

async function fromMemory(): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-blobs-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const source = new MemoryArtifacts(folder);
  const away = (): Promise<void> => Promise.resolve(void (source.isAway = true));
  return { source, remote: source.remote, folder, away };
}

const BYTES = Buffer.from('some weights');
const BLOB = { sha256: digestOf(BYTES), sizeBytes: BYTES.length };

describe.each([
  ['artifacts over HTTPS', overHttps],
  ['artifacts from memory', fromMemory],
])('%s', (_name, make) => {
  const never = new AbortController().signal;

  test('are fetched once and lie under their digest', async () => {
    const { source, remote } = await make();
    remote.set(BLOB.sha256, BYTES);
    const path = await source.fetch(BLOB, { signal: never });
    expect(await readFile(path)).toEqual(BYTES);
    remote.clear();
    expect(await source.fetch(BLOB, { signal: never })).toBe(path);
  });

  test('that are nowhere, or are wrong, are named by a code and leave nothing', async () => {
    const { source, remote, folder } = await make();
    await expect(source.fetch(BLOB, { signal: never })).rejects.toMatchObject({ code: 'download-failed' });
    remote.set(BLOB.sha256, Buffer.from('same weights'));
    await expect(source.fetch(BLOB, { signal: never })).rejects.toMatchObject({ code: 'digest-mismatch' });
    remote.set(BLOB.sha256, Buffer.from('some weights and more'));
    await expect(source.fetch(BLOB, { signal: never })).rejects.toMatchObject({ code: 'length-mismatch' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('that nobody answers for are given up after the tries that were allowed', async () => {
    const { source, away } = await make();
    await away();
    await expect(source.fetch(BLOB, { signal: never, tries: 2 })).rejects.toMatchObject({
      code: 'download-failed',
    });
  });

  test('are not fetched after an abort', async () => {
    const { source } = await make();
    await expect(source.fetch(BLOB, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  test('are deleted when nobody needs them', async () => {
    const { source, remote, folder } = await make();
    const other = Buffer.from('other');
    for (const bytes of [BYTES, other]) {
      remote.set(digestOf(bytes), bytes);
      await source.fetch({ sha256: digestOf(bytes), sizeBytes: bytes.length }, { signal: never });
    }
    await source.keepOnly(new Set([BLOB.sha256]));
    expect(await readdir(folder)).toEqual([BLOB.sha256]);
  });
});
