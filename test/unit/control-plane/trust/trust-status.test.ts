// What a person is told about keys: advice that leads from the quick start to a ceremony, and then falls silent.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { trustStatusSchema, type TrustRole } from '#protocol/trust.ts';
import { Ceremony, listed, someKeys } from './ceremony.ts';

const DAY_MS = 86_400_000;
const keys = someKeys(2);
const signers = { keys: listed(keys), threshold: 2 };

let world: Ceremony;

const status = async () => trustStatusSchema.parse(await world.service.status());
const roles = async (repository = 0): Promise<TrustRole[]> =>
  (await status()).repositories[repository]?.roles ?? [];

beforeEach(async () => {
  world = await Ceremony.begin();
});
afterEach(() => world[Symbol.asyncDispose]());

it('lists the roles of both repositories in the order of trust, with what they hold', async () => {
  await world.source('digits');
  await world.change('image', {
    kind: 'team', team: 'vision', models: ['vision-*', 'faces'], authorSignature: 'device', ...signers,
  }); // prettier-ignore
  const image = await roles();
  expect(image.map(({ role, targets, staged }) => [role, targets, staged?.missing ?? 0])).toEqual([
    ['root', null, 0],
    ['targets', 1, 0],
    ['team-vision', null, 2],
    ['pipeline', 0, 0],
    ['measurements', 0, 0],
    ['snapshot', null, 0],
    ['timestamp', null, 0],
  ]);
  expect(image[2]).toMatchObject({ models: ['vision-*', 'faces'], threshold: 2, version: 1 });
  expect(image[2]?.keys.map(({ isHeld }) => isHeld)).toEqual([false, false]);
  expect((await roles(1)).map(({ role, keys: [key] }) => [role, key?.isHeld])).toEqual([
    ['root', true],
    ['targets', true],
    ['snapshot', true],
    ['timestamp', true],
  ]);
});

it('advises to seal keys and to take root and targets out, until it was done', async () => {
  expect((await status()).advice).toEqual([
    expect.stringContaining('HOLDFAST_TRUST_PASSPHRASE_FILE'),
    expect.stringContaining('holdfast trust init'),
  ]);
  await world.change('image', { kind: 'take-over', root: signers, targets: signers });
  await world.change('director', { kind: 'take-over', root: signers });
  expect((await status()).advice.slice(2)).toEqual([
    'root version 2 waits for 2 signatures: `holdfast trust sign root`.',
    'targets version 2 waits for 2 signatures: `holdfast trust sign targets`.',
    'root version 2 waits for 2 signatures: `holdfast trust sign root --repository director`.',
  ]);
  await world.sign('image', 'root', keys);
  expect((await status()).advice).toContain('root version 2 goes out with the targets that wait.');
  await world.sign('image', 'targets', keys);
  await world.sign('director', 'root', keys);
  expect((await status()).advice).toHaveLength(1);
});

it('says in time what people must renew', async () => {
  await world.change('image', { kind: 'take-over', root: signers, targets: signers });
  await world.sign('image', 'root', keys);
  await world.sign('image', 'targets', keys);
  world.nowMs += 306 * DAY_MS;
  expect((await status()).advice.join()).toContain('renew it with `holdfast trust renew targets`');
  expect(await world.change('image', { kind: 'renew', role: 'targets' })).toEqual({
    published: [],
    staged: ['targets'],
  });
  await world.sign('image', 'targets', keys);
  expect((await status()).advice.join()).not.toContain('renew');
});

it('counts a key that both roots name once', async () => {
  const [ann, bob] = keys;
  await world.change('image', { kind: 'take-over', root: signers });
  await world.sign('image', 'root', keys);
  await world.change('image', { kind: 'threshold', role: 'root', threshold: 1 });
  expect((await roles())[0]?.staged).toEqual({ version: 3, missing: 2 });
  expect(world.service.staged('image', 'root').needs.map(({ by, threshold }) => [by, threshold])).toEqual([
    ['previous', 2],
    ['own', 1],
  ]);
  await world.sign('image', 'root', [ann ?? expect.fail()]);
  expect((await roles())[0]?.staged).toEqual({ version: 3, missing: 1 });
  expect(await world.sign('image', 'root', [bob ?? expect.fail()])).toMatchObject({ published: ['root'] });
});
