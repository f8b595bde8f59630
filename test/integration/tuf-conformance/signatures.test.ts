// Who counts as a signer: TUF 1.0 sections 4.2 to 4.4.

import { generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Json, Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';
import { alias, ecdsaKey, ed25519Key, rsaKey } from './simulated-keys.ts';
import type { SimulatedKey } from './simulated-keys.ts';

let world: SimulatedWorld;
let repository: Simulator;

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
});
afterEach(() => world[Symbol.asyncDispose]());

/** Publishes everything with these keys for snapshot, signed by those. */
function snapshotWith(keys: SimulatedKey[], threshold: number, signers: readonly SimulatedKey[]): void {
  repository.rotate('snapshot', keys, threshold);
  repository.signers.set('snapshot', [...signers]);
  repository.publish('root', 'snapshot', 'timestamp');
}

function changeSnapshot(change: (file: { signatures: Json[]; signed: Json }) => void): void {
  const file = JSON.parse(String(repository.files.get('2.snapshot.json'))) as {
    signatures: Json[];
    signed: Json;
  };
  change(file);
  repository.files.set('2.snapshot.json', Buffer.from(JSON.stringify(file)));
}

describe.each([
  ['root', { root: 1 }],
  ['timestamp', { root: 2 }],
  ['snapshot', { root: 2, timestamp: 2 }],
  ['targets', { root: 2, timestamp: 2, snapshot: 2 }],
])('%s', (role, trusted) => {
  it.each(['nobody', 'a stranger', 'another role'])('signed by %s is refused', async (who) => {
    const other = repository.signers.get(role === 'timestamp' ? 'snapshot' : 'timestamp') ?? [];
    repository.signers.set(role, who === 'nobody' ? [] : who === 'a stranger' ? [ed25519Key()] : other);
    repository.publish('root', 'targets', 'snapshot', 'timestamp');
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    expect(await world.trusted()).toEqual(trusted);
  });

  it('that says more than was signed is refused', async () => {
    repository.publish('root', 'targets', 'snapshot', 'timestamp');
    const name = role === 'timestamp' ? 'timestamp.json' : `2.${role}.json`;
    const text = String(repository.files.get(name));
    repository.files.set(name, Buffer.from(text.replace('"signed":{', '"signed":{"added":true,')));
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    expect(await world.trusted()).toEqual(trusted);
  });
});

describe('a threshold of two', () => {
  const [a, b, c] = [ed25519Key(), ed25519Key(), ed25519Key()];

  it('is met by any two keys of three', async () => {
    snapshotWith([a, b, c], 2, [a, c]);
    await world.refresh();
    expect(await world.trusted()).toMatchObject({ snapshot: 2 });
  });

  it.each<[string, SimulatedKey[], SimulatedKey[]]>([
    ['one key', [a, b], [a]],
    ['a key of the role and a stranger', [a, b], [a, c]],
    ['one key under two ids', [a, alias(a, 'other-id')], [a, alias(a, 'other-id')]],
  ])('is not met by %s', async (_, listed, signers) => {
    snapshotWith(listed, 2, signers);
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    expect(await world.trusted()).toEqual({ root: 2, timestamp: 2 });
  });

  it('is met by a key listed twice and a second key', async () => {
    snapshotWith([a, alias(a, 'other-id'), b], 2, [a, alias(a, 'other-id'), b]);
    await world.refresh();
  });

  it('is not met by one key in two encodings', async () => {
    const pem = ecdsaKey();
    const der = Buffer.from(pem.json.keyval.public.replaceAll(/-----[^-]*-----|\n/g, ''), 'base64');
    const hex = der.subarray(-65).toString('hex');
    const twin = { ...pem, id: 'twin', json: { ...pem.json, keyval: { public: hex } } };
    snapshotWith([pem, twin], 2, [pem, twin]);
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    snapshotWith([pem, twin], 1, [twin]);
    await world.refresh();
  });

  it('of delegated targets is held against distinct keys too', async () => {
    const role = repository.delegate('targets', 'team');
    const delegation = repository.targets.get('targets')?.delegations;
    for (const key of [a, alias(a, 'other-id')]) if (delegation) delegation.keys[key.id] = key.json;
    Object.assign(delegation?.roles[0] ?? {}, { keyids: [a.id, 'other-id'], threshold: 2 });
    repository.signers.set('team', [a, alias(a, 'other-id')]);
    expect(role.version).toBe(0);
    repository.addTarget('team', 'file', Buffer.from('file'));
    repository.publishAll();
    await expect(world.refresh('file')).rejects.toMatchObject({ code: 'tuf-signature' });
  });
});

it('holds a role that is trusted already against the threshold of another that leads to it', async () => {
  const twins = ['one', 'two']
    .map((id) => alias(ed25519Key(), id))
    .map((key, _, [first = key]) => alias(first, key.id));
  repository.signers.set('shared', twins);
  for (const name of ['a', 'b']) {
    repository.delegate('targets', name, { paths: [name] });
    repository.delegate(name, 'shared', { threshold: name === 'a' ? 1 : 2 });
  }
  for (const name of ['a', 'b']) repository.addTarget('shared', name, Buffer.from(name));
  repository.publishAll();
  expect((await world.refresh('a')).found.size).toBe(1);
  await expect(world.refresh('a', 'b')).rejects.toMatchObject({ code: 'tuf-signature' });
});

it.each([0, -1])('takes %d for no threshold', async (threshold) => {
  snapshotWith([ed25519Key()], threshold, []);
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
  expect(await world.trusted()).not.toHaveProperty('snapshot');
});

it('refuses a role that lists a key id twice', async () => {
  const key = ed25519Key();
  snapshotWith([key, key], 1, [key]);
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it.each(['timestamp', 'snapshot', 'targets'])(
  'refuses a %s with two signatures under one id',
  async (role) => {
    const name = role === 'timestamp' ? 'timestamp.json' : `1.${role}.json`;
    const file = JSON.parse(String(repository.files.get(name))) as { signatures: Json[] };
    file.signatures.push({ ...file.signatures[0] });
    repository.files.set(name, Buffer.from(JSON.stringify(file)));
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    expect(await world.trusted()).not.toHaveProperty(role);
  },
);

it.each(['', 'zz', '00'])('is not put off by a useless signature %j beside enough good ones', async (sig) => {
  const [good, bad] = [ed25519Key(), ed25519Key()];
  snapshotWith([good, bad], 1, [good]);
  changeSnapshot((file) => file.signatures.push({ keyid: bad.id, sig }));
  await world.refresh();
});

it.each([
  ['ecdsa', ecdsaKey],
  ['rsa', rsaKey],
  ['ed25519', ed25519Key],
])('knows %s', async (_, make) => {
  const key = make();
  snapshotWith([key], 1, [key]);
  await world.refresh();
  changeSnapshot((file) => {
    file.signatures = [{ keyid: key.id, sig: key.sign(Buffer.from('something else')) }];
  });
  repository.signers.set('snapshot', []);
  repository.publish('snapshot', 'timestamp');
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it.each<[string, Partial<SimulatedKey['json']>]>([
  ['a type that its material is not of', { keytype: 'ed25519', scheme: 'ed25519' }],
  ['an unknown type', { keytype: 'dsa' }],
  ['an unknown scheme', { scheme: 'rsa-md5' }],
])('counts no key of %s', async (_, change) => {
  const key = rsaKey();
  snapshotWith([{ ...key, json: { ...key.json, ...change } }], 1, [key]);
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it('counts no RSA key that says it is an Ed25519 one, though its signature holds', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keyval = { public: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
  const key: SimulatedKey = {
    id: 'disguised',
    json: { keytype: 'ed25519', scheme: 'ed25519', keyval },
    sign: (bytes) => sign(undefined, bytes, privateKey).toString('hex'),
  };
  snapshotWith([key], 1, [key]);
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it('verifies fields it does not know, and passes them on', async () => {
  Object.assign(repository.root, { 'x-note': { b: 1, a: ['é', null] } });
  Object.assign(Object.values(repository.root.keys)[0] ?? {}, { 'x-owner': 'somebody' });
  Object.assign(repository.root.roles.snapshot ?? {}, { 'x-period': 7 });
  repository.publish('root');
  await world.refresh();
  expect(await world.trusted()).toMatchObject({ root: 2 });
});
