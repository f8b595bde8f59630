// Chains of root metadata: TUF 1.0 section 5.3.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS, START_MS, utc } from './simulator.ts';
import type { Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';
import { alias, ed25519Key } from './simulated-keys.ts';
import type { SimulatedKey } from './simulated-keys.ts';

let world: SimulatedWorld;
let repository: Simulator;
let keys: SimulatedKey[];

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
  keys = Array.from({ length: 6 }, ed25519Key);
});
afterEach(() => world[Symbol.asyncDispose]());

const pick = (...at: number[]): SimulatedKey[] => at.flatMap((index) => keys[index] ?? []);

/** Publishes the next root with these keys, signed by those. */
function rootWith(listed: number[], threshold: number, signed: SimulatedKey[]): void {
  repository.rotate('root', pick(...listed), threshold);
  repository.signers.set('root', signed);
  repository.publish('root');
}

it('follows a chain to its end, link by link', async () => {
  const [first] = repository.signers.get('root') ?? [];
  rootWith([0], 1, first === undefined ? [] : [first, ...pick(0)]);
  rootWith([1, 2], 2, pick(0, 1, 2));
  rootWith([3], 1, pick(1, 2, 3));
  await world.refresh();
  expect(await world.trusted()).toMatchObject({ root: 4 });
});

describe('stops before a root', () => {
  beforeEach(async () => {
    rootWith([0, 1, 2], 2, [...(repository.signers.get('root') ?? []), ...pick(0, 1)]);
    await world.refresh();
  });

  it.each<[string, number[], number, number[]]>([
    ['that the keys before did not sign', [3, 4], 2, [3, 4]],
    ['that its own keys did not sign', [3, 4], 2, [0, 1]],
    ['that too few of the keys before signed', [3], 1, [0, 3]],
    ['that too few of its own keys signed', [3, 4], 2, [0, 1, 3]],
    ['that lowers the threshold and is signed by the lower one', [0, 1], 1, [0]],
  ])('%s', async (_, listed, threshold, signed) => {
    rootWith(listed, threshold, pick(...signed));
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    expect(await world.trusted()).toMatchObject({ root: 2 });
  });

  it('that one key signed under two ids where two keys are needed', async () => {
    const [a = ed25519Key()] = keys.slice(3);
    repository.rotate('root', [a, alias(a, 'other-id')], 2);
    repository.signers.set('root', [...pick(0, 1), a, alias(a, 'other-id')]);
    repository.publish('root');
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    expect(await world.trusted()).toMatchObject({ root: 2 });
  });

  it.each([2, 4, 30])('that says it is version %i where 3 was asked for', async (version) => {
    repository.root.version = version - 1;
    repository.publish('root');
    const bytes = repository.files.get(`${version}.root.json`) ?? Buffer.alloc(0);
    repository.files.set('3.root.json', bytes);
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
    expect(await world.trusted()).toMatchObject({ root: 2 });
  });

  it('after one that is missing', async () => {
    repository.publish('root', 'root');
    repository.files.delete('3.root.json');
    await world.refresh();
    expect(world.requests).not.toContain('metadata/4.root.json');
    expect(await world.trusted()).toMatchObject({ root: 2 });
  });

  it.each(['{', '[]', '{"signed":{},"signatures":[]}', 'null'])('that is %s', async (text) => {
    repository.files.set('3.root.json', Buffer.from(text));
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
    expect(await world.trusted()).toMatchObject({ root: 2 });
  });
});

it('does not mind that a root on the way has expired', async () => {
  repository.root.expires = utc(START_MS - DAY_MS);
  repository.publish('root');
  repository.root.expires = utc(START_MS + DAY_MS);
  repository.publish('root');
  await world.refresh();
  expect(await world.trusted()).toMatchObject({ root: 3 });
});

it('follows no more than 256 in one refresh, keeps what it followed, and goes on from there', async () => {
  for (let version = 2; version <= 300; version += 1) repository.publish('root');
  await world.refresh();
  expect(world.requests.filter((name) => name.endsWith('root.json'))).toHaveLength(256);
  expect(await world.trusted()).toMatchObject({ root: 257 });
  await world.refresh();
  expect(await world.trusted()).toMatchObject({ root: 300 });
});

it('trusts nothing under an anchor that does not sign itself, and asks for nothing', async () => {
  const stranger = repository.signed(repository.root, [ed25519Key()]);
  const client = world.client({ anchor: stranger });
  await expect(client.refresh(new AbortController().signal)).rejects.toMatchObject({ code: 'tuf-signature' });
  const { version: _, ...rest } = repository.root;
  const unversioned = world.client({ anchor: repository.signed(rest, repository.signers.get('root') ?? []) });
  await expect(unversioned.refresh(new AbortController().signal)).rejects.toMatchObject({
    code: 'tuf-signature',
  });
  expect(world.requests).toEqual([]);
});

it('starts from the anchor while that has expired, when newer roots have not', async () => {
  repository.root.expires = utc(START_MS + 90 * DAY_MS);
  repository.publish('root');
  for (const role of ['targets', 'snapshot', 'timestamp'])
    repository.document(role).expires = repository.root.expires;
  repository.publishAll();
  world.nowMs = START_MS + 60 * DAY_MS;
  await world.refresh();
  expect(await world.trusted()).toMatchObject({ root: 2, targets: 2 });
});

it('does not trust local metadata that the keys of a new root did not sign', async () => {
  await world.refresh();
  repository.rotate('snapshot');
  repository.publish('root'); // the timestamp still names the snapshot of the old key
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
  repository.publish('snapshot', 'timestamp');
  await world.refresh();
  expect(await world.trusted()).toEqual({ root: 2, timestamp: 2, snapshot: 2, targets: 1 });
});
