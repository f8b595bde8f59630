import { createHash, createPublicKey, verify } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isKeyFile } from '#control-plane/trust/keys/key-file.ts';
import { KeyStore } from '#control-plane/trust/keys/key-store.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';

let directory: string;
let store: KeyStore;

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'holdfast-keys-')), 'keys');
  store = await KeyStore.open(directory);
});
afterEach(() => rm(join(directory, '..'), { recursive: true }));

it('makes a key once, and finds it again', async () => {
  const made = await store.ensure('image-root');
  const found = await (await KeyStore.open(directory)).load('image-root');
  expect(found.keyId).toBe(made.keyId);
  expect((await store.ensure('image-root')).keyId).toBe(made.keyId);
  expect((await store.ensure('image-targets')).keyId).not.toBe(made.keyId);
});

it('lets nobody else read keys, and leaves no temporary file', async () => {
  await store.ensure('image-root');
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  expect((await stat(join(directory, 'image-root.pem'))).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['image-root.pem']);
});

it('signs so that the public key in its TUF form verifies', async () => {
  const key = await store.ensure('image-root');
  const { sig } = key.sign(Buffer.from('bytes'));
  const x = Buffer.from(key.publicKey.keyVal.public ?? '', 'hex').toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  expect(verify(null, Buffer.from('bytes'), publicKey, Buffer.from(sig, 'hex'))).toBe(true);
  expect(key.keyId).toBe(createHash('sha256').update(canonicalJson(key.publicKey.toJSON())).digest('hex'));
});

it('does not make a key anew where one must exist', async () => {
  await expect(store.load('image-root')).rejects.toMatchObject({ code: 'state-corrupt' });
  expect(await readdir(directory)).toEqual([]);
});

it('refuses a key that others may read', async () => {
  await store.ensure('image-root');
  await chmod(join(directory, 'image-root.pem'), 0o640);
  await expect(store.ensure('image-root')).rejects.toMatchObject({ code: 'bad-config' });
});

it('refuses a torn key and keeps it', async () => {
  await store.ensure('image-root');
  const path = join(directory, 'image-root.pem');
  const torn = (await readFile(path)).subarray(0, 40);
  await writeFile(path, torn);
  await expect(store.ensure('image-root')).rejects.toMatchObject({ code: 'state-corrupt' });
  expect(await readFile(path)).toEqual(torn);
});

it.each(['', '../x', 'A', 'a/b', '.x'])('refuses %j as a name', async (name) => {
  await expect(store.ensure(name)).rejects.toMatchObject({ code: 'internal' });
});

describe('with a passphrase', () => {
  const PASSPHRASE = 'four random words here';
  const sealed = () => KeyStore.open(directory, PASSPHRASE);
  const text = () => readFile(join(directory, 'image-root.pem'), 'utf8');

  it('seals keys that lay open when they are next read, and they stay the same', async () => {
    const open = await store.ensure('image-root');
    const { keyId } = await (await sealed()).load('image-root');
    expect(keyId).toBe(open.keyId);
    expect(isKeyFile(await text())).toBe(true);
    expect(await text()).not.toContain('PRIVATE KEY');
    expect(await readdir(directory)).toEqual(['image-root.pem']);
    expect((await stat(join(directory, 'image-root.pem'))).mode & 0o777).toBe(0o600);
    expect((await (await sealed()).load('image-root')).keyId).toBe(keyId);
  });

  it('seals what it makes, and opens it with no other passphrase and not without one', async () => {
    const opened = await sealed();
    expect(opened.isEncrypted).toBe(true);
    await opened.ensure('image-root');
    expect(isKeyFile(await text())).toBe(true);
    const other = await KeyStore.open(directory, 'another passphrase');
    await expect(other.load('image-root')).rejects.toMatchObject({ code: 'passphrase-wrong' });
    await expect(store.load('image-root')).rejects.toMatchObject({ code: 'bad-config' });
    await expect(store.ensure('image-root')).rejects.toMatchObject({ code: 'bad-config' });
  });
});

it('lists keys by how they begin, and forgets one that is removed', async () => {
  for (const name of ['image-root', 'image-pipeline', 'director-root']) await store.ensure(name);
  expect(await store.names('image-')).toEqual(['image-pipeline', 'image-root']);
  await store.remove('image-root');
  expect(await store.names('image-')).toEqual(['image-pipeline']);
  expect(await store.find('image-root')).toBeNull();
});
