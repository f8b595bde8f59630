import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileBlobStore } from '#control-plane/artifacts/file-blob-store.ts';

const bytes = new TextEncoder().encode('the bytes of a blob');
const sha256 = createHash('sha256').update(bytes).digest('hex');
const limits = { maxBytes: 1_000 };

let folder: string;
let blobs: FileBlobStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-blobs-'));
  blobs = await FileBlobStore.open(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* streamOf(...chunks: Uint8Array[]) {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

async function listed() {
  const found = [];
  for await (const blob of blobs.list()) found.push(blob);
  return found;
}

describe('a blob store', () => {
  it('gives back what was put, whole and by range', async () => {
    const put = await blobs.put(sha256, streamOf(bytes.subarray(0, 4), bytes.subarray(4)), limits);
    expect(put).toEqual({ sha256, sizeBytes: bytes.length });
    expect(await blobs.bytes(sha256, 1_000)).toEqual(bytes);
    expect((await buffer(blobs.read(sha256, { start: 4, end: 8 }))).toString()).toBe('bytes');
    expect((await buffer(blobs.read(sha256))).toString()).toBe('the bytes of a blob');
    expect(await blobs.sizeBytes(sha256)).toBe(bytes.length);
  });

  it('is mended by a second upload when a disk has changed its bytes', async () => {
    await blobs.put(sha256, streamOf(bytes), limits);
    await writeFile(blobs.path(sha256), 'the bytes of a blub');
    expect(await blobs.put(sha256, streamOf(bytes), limits)).toEqual({ sha256, sizeBytes: bytes.length });
    expect(await blobs.bytes(sha256, 1_000)).toEqual(bytes);
    expect(await readdir(folder)).toEqual([sha256]);
  });

  it('shows nothing of a blob before all of it is there', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let begun = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    async function* slow() {
      yield bytes.subarray(0, 4);
      begun();
      await gate;
      yield bytes.subarray(4);
    }
    const putting = blobs.put(sha256, slow(), limits);
    await hasBegun;
    expect(await blobs.has(sha256)).toBe(false);
    release();
    await putting;
    expect(await blobs.has(sha256)).toBe(true);
  });

  it.each([
    ['other bytes', 'digest-mismatch', () => streamOf(new Uint8Array(3))],
    ['a cut-off stream', 'digest-mismatch', () => streamOf(bytes.subarray(0, 5))],
    ['no bytes', 'length-mismatch', () => streamOf()],
    ['too many bytes', 'body-too-large', () => streamOf(new Uint8Array(2_000))],
  ])('refuses %s with %s and keeps nothing', async (_what, code, stream) => {
    await expect(blobs.put(sha256, stream(), limits)).rejects.toMatchObject({ code });
    expect(await readdir(folder)).toEqual([]);
  });

  it('keeps nothing of a stream that breaks off', async () => {
    async function* broken() {
      yield await Promise.resolve(bytes.subarray(0, 4));
      throw new Error('connection reset');
    }
    await expect(blobs.put(sha256, broken(), limits)).rejects.toThrow('connection reset');
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes the same blob from many at once', async () => {
    await Promise.all(Array.from({ length: 8 }, () => blobs.putBytes(bytes)));
    expect(await readdir(folder)).toEqual([sha256]);
  });

  it('deletes what a killed writer left, when it is opened', async () => {
    await blobs.putBytes(bytes);
    await writeFile(join(folder, 'half.tmp'), 'half');
    blobs = await FileBlobStore.open(folder);
    expect(await readdir(folder)).toEqual([sha256]);
  });

  it('lists blobs with their sizes, and forgets a removed one', async () => {
    await blobs.putBytes(bytes);
    expect(await listed()).toMatchObject([{ sha256, sizeBytes: bytes.length }]);
    await blobs.remove(sha256);
    await blobs.remove(sha256);
    expect(await listed()).toEqual([]);
  });

  it('never leaves its folder, whatever name it is asked for', () => {
    for (const name of ['../secret', `${sha256}/..`, sha256.toUpperCase(), '']) {
      expect(() => blobs.path(name)).toThrow(/sha256/);
    }
  });

  it('reads no more into memory than allowed', async () => {
    await blobs.putBytes(bytes);
    await expect(blobs.bytes(sha256, 3)).rejects.toMatchObject({ code: 'body-too-large' });
    await expect(blobs.bytes('0'.repeat(64), 3)).rejects.toMatchObject({ code: 'not-found' });
  });
});
