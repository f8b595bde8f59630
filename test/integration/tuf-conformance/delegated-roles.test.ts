// Delegated roles one by one: what they are held against, kept as and called. TUF 1.0 sections 4.5, 5.6.2 to 5.6.6.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS, START_MS, utc } from './simulator.ts';
import type { DelegationJson, Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';
import { ed25519Key } from './simulated-keys.ts';

let world: SimulatedWorld;
let repository: Simulator;

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
});
afterEach(() => world[Symbol.asyncDispose]());

const only = (path: string): Partial<DelegationJson> => ({ paths: [path] });

function publish(...edge: Parameters<Simulator['delegate']>): void {
  repository.delegate(...edge);
  repository.publishAll();
}

describe('a delegated role', () => {
  beforeEach(() => {
    publish('targets', 'team', only('x/*'));
    repository.addTarget('team', 'x/file', Buffer.from('file'));
    repository.publishAll();
  });

  async function isRefused(code: string): Promise<void> {
    await expect(world.refresh('x/file')).rejects.toMatchObject({ code });
  }

  it('that has expired is refused, and was not kept', async () => {
    repository.targets.get('team')!.expires = utc(START_MS - 1_000);
    repository.publishAll();
    await isRefused('tuf-expired');
    expect(await world.trusted()).not.toHaveProperty('team');
  });

  it('that expires while it is kept is refused from then on, and can be followed by a newer one', async () => {
    repository.targets.get('team')!.expires = utc(START_MS + DAY_MS);
    repository.publishAll();
    await world.refresh('x/file');
    world.nowMs = START_MS + 2 * DAY_MS;
    await isRefused('tuf-expired');
    repository.targets.get('team')!.expires = utc(START_MS + 3 * DAY_MS);
    repository.publishAll();
    expect((await world.refresh('x/file')).found.size).toBe(1);
  });

  it('is not fetched again while it is the newest', async () => {
    await world.refresh('x/file');
    world.requests.length = 0;
    await world.refresh('x/file');
    expect(world.requests).toEqual(['metadata/2.root.json', 'metadata/timestamp.json']);
  });

  it('that is kept is held against the delegation of today', async () => {
    await world.refresh('x/file');
    const delegations = repository.targets.get('targets')!.delegations!;
    const key = ed25519Key();
    delegations.keys[key.id] = key.json;
    delegations.roles[0]!.keyids = [key.id];
    repository.publish('targets', 'snapshot', 'timestamp');
    await isRefused('tuf-signature');
    repository.signers.set('team', [key]);
    repository.publish('team', 'snapshot', 'timestamp');
    expect((await world.refresh('x/file')).found.size).toBe(1);
  });

  it('reached by another way needs the keys of the role that led there', async () => {
    repository.delegate('targets', 'other');
    repository.delegate('other', 'team', only('y'));
    repository.addTarget('team', 'y', Buffer.from('y'));
    repository.publishAll();
    expect((await world.refresh('y')).found.size).toBe(1);
    const key = ed25519Key();
    const { delegations } = repository.targets.get('other')!;
    delegations!.keys = { [key.id]: key.json };
    delegations!.roles[0]!.keyids = [key.id];
    repository.publish('other', 'snapshot', 'timestamp');
    await expect(world.refresh('y')).rejects.toMatchObject({ code: 'tuf-signature' });
    expect((await world.refresh('x/file')).found.size).toBe(1);
  });

  it('that the snapshot does not list is refused', async () => {
    publish('targets', 'unlisted');
    delete repository.snapshot.meta['unlisted.json'];
    repository.publish('snapshot', 'timestamp');
    await expect(world.refresh('other')).rejects.toMatchObject({ name: 'HoldfastError' });
  });

  it.each(['root', 'timestamp', 'snapshot', 'targets'])('cannot be called %s', async (name) => {
    const { delegations } = repository.targets.get('targets')!;
    delegations!.roles.push({ ...delegations!.roles[0]!, name });
    repository.publishAll();
    await isRefused('tuf-signature');
  });

  it.each([
    '?',
    '#',
    '/a',
    '../a',
    '.',
    '..',
    'a b',
    'é',
    "x'(y)!*",
    'generation',
    'constructor',
    '__proto__',
  ])('called %s is asked for by its quoted name and kept inside the folder', async (name) => {
    publish('targets', name, only('odd'));
    repository.addTarget(name, 'odd', Buffer.from('odd'));
    repository.publishAll();
    expect((await world.refresh('odd')).found.size).toBe(1);
    expect(world.requests).toContain(`metadata/2.${encodeURIComponent(name)}.json`);
    expect(Object.keys(await world.trusted())).toContain(name);
    world.requests.length = 0;
    expect((await world.refresh('odd')).found.size).toBe(1);
    expect(world.requests).toHaveLength(2);
  });
});
