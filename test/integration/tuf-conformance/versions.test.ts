// Expiry, rollback, fast-forward and mixed files: TUF 1.0 sections 5.3.10, 5.4.3 to 5.6.5.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS, START_MS, utc } from './simulator.ts';
import type { Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';

let world: SimulatedWorld;
let repository: Simulator;

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
});
afterEach(() => world[Symbol.asyncDispose]());

it('asks for the next root, the timestamp, then what they name, and trusts it as it was served', async () => {
  await world.refresh();
  expect(world.requests).toEqual([
    'metadata/2.root.json',
    'metadata/timestamp.json',
    'metadata/1.snapshot.json',
    'metadata/1.targets.json',
  ]);
  const trusted = await world.client().trustedFiles();
  expect(trusted.get('timestamp.json')).toEqual(repository.files.get('timestamp.json'));
  expect([...trusted.keys()].sort()).toEqual(
    ['root', 'snapshot', 'targets', 'timestamp'].map((role) => `${role}.json`),
  );
});

describe.each([
  ['root', {}],
  ['timestamp', { root: 1 }],
  ['snapshot', { root: 1, timestamp: 2 }],
  ['targets', { root: 1, timestamp: 2, snapshot: 2 }],
])('an expired %s', (role, trusted) => {
  beforeEach(() => {
    repository.document(role).expires = utc(START_MS - 1_000);
    repository.publish(...(role === 'root' ? ['root'] : ['targets', 'snapshot', 'timestamp']));
  });

  it('is refused by a client that never saw another', async () => {
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
    expect(await world.trusted()).toEqual(role === 'root' ? { root: 2 } : trusted);
  });

  it('can be followed by one that has not expired', async () => {
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
    repository.document(role).expires = utc(START_MS + DAY_MS);
    repository.publish(...(role === 'root' ? ['root'] : ['targets', 'snapshot', 'timestamp']));
    await world.refresh();
    expect((await world.trusted())[role]).toBe(3);
  });
});

it('does not go on with trusted metadata that has expired since, and goes on from it to newer', async () => {
  await world.refresh();
  world.nowMs = START_MS + 40 * DAY_MS;
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
  for (const role of ['root', 'timestamp', 'snapshot', 'targets'])
    repository.document(role).expires = utc(world.nowMs + DAY_MS);
  repository.publish('root', 'targets', 'snapshot', 'timestamp');
  await world.refresh();
  expect(await world.trusted()).toEqual({ root: 2, timestamp: 2, snapshot: 2, targets: 2 });
});

it('expires at the very second that is signed', async () => {
  repository.timestamp.expires = utc(START_MS + 1_000);
  repository.publish('timestamp');
  world.nowMs = START_MS + 999;
  await world.refresh();
  world.nowMs = START_MS + 1_000;
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
});

it.each(['2030-01-02', '2030-01-02T00:00:00+14:00', 'tomorrow', ''])(
  'takes %j for no expiry',
  async (expires) => {
    repository.targets.get('targets')!.expires = expires;
    repository.publishAll();
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
  },
);

it.each([0, -1, 2 ** 53])('takes %d for no version', async (version) => {
  repository.timestamp.version = version;
  repository.republish('timestamp');
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
});

describe.each([false, true])('with hashes listed: %s', (listsHashes) => {
  beforeEach(async () => {
    repository.listsHashes = listsHashes;
    repository.publishAll();
    await world.refresh();
  });

  it('refuses an older timestamp', async () => {
    repository.timestamp.version = 1;
    repository.republish('timestamp');
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
    expect(await world.trusted()).toMatchObject({ timestamp: 2 });
  });

  it('keeps the timestamp it has when another of the same version comes', async () => {
    repository.timestamp.meta['snapshot.json'].version = 100;
    repository.republish('timestamp');
    world.requests.length = 0;
    await world.refresh();
    expect(world.requests).toEqual(['metadata/2.root.json', 'metadata/timestamp.json']);
  });

  it('refuses an older snapshot under a newer timestamp', async () => {
    repository.snapshot.version = 1;
    repository.republish('snapshot');
    repository.publish('timestamp');
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
    expect(await world.trusted()).toMatchObject({ timestamp: 2, snapshot: 2 });
  });

  it('refuses older targets under newer snapshot and timestamp', async () => {
    repository.targets.get('targets')!.version = 1;
    repository.republish('targets');
    repository.publish('snapshot', 'timestamp');
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
    expect(await world.trusted()).toMatchObject({ snapshot: 2, targets: 2 });
  });

  it('refuses a snapshot that lists a role no more', async () => {
    repository.delegate('targets', 'team');
    repository.publishAll();
    await world.refresh();
    delete repository.snapshot.meta['team.json'];
    repository.publish('snapshot', 'timestamp');
    await expect(world.refresh()).rejects.toMatchObject({ name: 'HoldfastError' });
    expect(await world.trusted()).toMatchObject({ snapshot: 3 });
  });
});

describe('mixed and matched', () => {
  it('takes no snapshot of another version than the timestamp names', async () => {
    const old = repository.files.get('1.snapshot.json') ?? Buffer.alloc(0);
    repository.publishAll();
    repository.files.set('2.snapshot.json', old);
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
    expect(await world.trusted()).toEqual({ root: 1, timestamp: 2 });
  });

  it('takes no targets of another version than the snapshot names', async () => {
    repository.publishAll();
    const newer = repository.files.get('2.targets.json') ?? Buffer.alloc(0);
    repository.files.set('1.targets.json', newer);
    repository.targets.get('targets')!.version = 1;
    repository.snapshot.meta['targets.json'] = { version: 1 };
    repository.publish('snapshot', 'timestamp');
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
    expect(await world.trusted()).toEqual({ root: 1, timestamp: 3, snapshot: 3 });
  });

  it.each([
    ['snapshot', { root: 1, timestamp: 2 }],
    ['targets', { root: 1, timestamp: 2, snapshot: 2 }],
  ])('takes no %s with the version but not the bytes that are listed', async (role, trusted) => {
    repository.listsHashes = true;
    repository.publishAll();
    const name = `2.${role}.json`;
    const bytes = repository.files.get(name) ?? Buffer.alloc(0);
    const { signatures, signed } = JSON.parse(String(bytes)) as Record<string, unknown>;
    const turned = Buffer.from(JSON.stringify({ signed, signatures })); // signed as well, and as long
    expect(turned).toHaveLength(bytes.length);
    expect(turned).not.toEqual(bytes);
    repository.files.set(name, turned);
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-mismatch' });
    repository.files.set(name, Buffer.concat([bytes, Buffer.from(' ')]));
    await expect(world.refresh()).rejects.toMatchObject({ name: 'HoldfastError' });
    expect(await world.trusted()).toEqual(trusted);
  });

  it('takes no document for one of another role', async () => {
    repository.signers.set('snapshot', repository.signers.get('timestamp') ?? []);
    repository.rotate('snapshot', repository.signers.get('timestamp'));
    repository.publish('root', 'snapshot', 'timestamp');
    repository.files.set('timestamp.json', repository.files.get('2.snapshot.json') ?? Buffer.alloc(0));
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    expect(await world.trusted()).toEqual({ root: 2 });
  });
});

describe('after somebody drove versions far ahead', () => {
  it.each([
    ['timestamp', ['timestamp'], ['timestamp']],
    ['snapshot', ['snapshot', 'timestamp'], ['snapshot', 'timestamp']],
    ['targets', ['targets', 'snapshot', 'timestamp'], ['snapshot']],
  ])('lets %s begin again once keys are rotated', async (role, published, rotated) => {
    repository.document(role).version = 99_998;
    repository.publish(...published);
    await world.refresh();
    expect(await world.trusted()).toMatchObject({ [role]: 99_999 });
    repository.document(role).version = 0;
    repository.publish(...published);
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
    for (const name of rotated) repository.rotate(name);
    repository.publish('root', 'targets', 'snapshot', 'timestamp');
    await world.refresh();
    expect((await world.trusted())[role]).toBe(2);
    repository.document(role).version = 0;
    repository.publish(...published);
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
  });

  it('remembers them when keys are only added', async () => {
    const [first] = repository.signers.get('timestamp') ?? [];
    repository.publish('timestamp', 'timestamp');
    await world.refresh();
    repository.rotate(
      'timestamp',
      first === undefined ? [] : [first, ...(repository.signers.get('snapshot') ?? [])],
    );
    repository.timestamp.version = 1;
    repository.publish('root', 'timestamp');
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
  });
});
