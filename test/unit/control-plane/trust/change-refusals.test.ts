// Changes that would leave a role that nobody can sign, or devices with less than they had, are refused, with a hint.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import type { Repository, TrustChange } from '#protocol/trust.ts';
import { Ceremony, listed, someKeys } from './ceremony.ts';

const [ann, bob, cat, dan] = listed(someKeys(4)) as [never, never, never, never];
const KEYS = { ann, bob, cat, dan } as Record<'ann' | 'bob' | 'cat' | 'dan', RoleKey['trustKey']>;
const people = (keys: readonly (keyof typeof KEYS)[], threshold = 1) => ({
  keys: keys.map((name) => KEYS[name]),
  threshold,
});
const team = (change: object): TrustChange => ({
  kind: 'team',
  team: 'sound',
  models: ['sound-*'],
  authorSignature: 'none',
  ...people(['ann', 'bob']),
  ...change,
});

let world: Ceremony;

beforeAll(async () => {
  world = await Ceremony.begin();
  await world.change('image', team({ team: 'vision', models: ['vision-*', 'faces'], threshold: 2 }));
  await world.change('image', team({ team: 'lone', models: ['lone'], ...people(['ann']) }));
  await world.source('faces');
  await world.source('digits');
  await world.release('digits');
});
afterAll(() => world[Symbol.asyncDispose]());

const takeOver = (root: object, targets?: object) =>
  ({ kind: 'take-over', root, ...(targets === undefined ? {} : { targets }) }) as TrustChange;
const held = (): RoleKey['trustKey'] => world.image.pipelineKey().trustKey;
const forged = { ...KEYS.cat, keyId: '0'.repeat(64) };
const odd = (pem: string) => {
  const { publicKey } = RoleKey.generate('ecdsa-sha2-nistp256');
  return { keyId: publicKey.keyID, scheme: 'ecdsa-sha2-nistp256' as const, public: pem, owner: '' };
};

describe.each<[string, () => TrustChange, string, Repository?]>([
  ['a threshold above the number of keys', () => takeOver(people(['ann'], 2)), 'conflict'],
  ['the same for targets', () => takeOver(people(['ann']), people(['bob', 'cat'], 3)), 'conflict'],
  ['a key twice in one role', () => takeOver(people(['ann', 'bob', 'ann'])), 'conflict'],
  ['a key with the id of another', () => takeOver({ keys: [forged], threshold: 1 }), 'key-invalid'],
  ['a key that is none', () => takeOver({ keys: [odd('no key')], threshold: 1 }), 'key-invalid'],
  ['a key that the control plane holds', () => takeOver({ keys: [held()], threshold: 1 }), 'conflict'],
  ['adding a key that is there', () => ({ kind: 'add-key', role: 'team-vision', key: KEYS.ann }), 'conflict'],
  ['adding a key of the control plane', () => ({ kind: 'add-key', role: 'targets', key: held() }), 'conflict'],
  ['adding a key to an online role', () => ({ kind: 'add-key', role: 'snapshot', key: KEYS.ann }), 'bad-request'],
  ['the same for the pipeline', () => ({ kind: 'add-key', role: 'pipeline', key: KEYS.ann }), 'bad-request'],
  ['the same for the Director', () => ({ kind: 'add-key', role: 'targets', key: KEYS.ann }), 'bad-request', 'director'],
  ['removing a key of nobody', () => ({ kind: 'remove-key', role: 'targets', keyId: KEYS.ann.keyId }), 'not-found'],
  ['removing the last key', () => ({ kind: 'remove-key', role: 'team-lone', keyId: KEYS.ann.keyId }), 'conflict'],
  ['removing one below the threshold', () => ({ kind: 'remove-key', role: 'team-vision', keyId: KEYS.ann.keyId }), 'conflict'],
  ['too high a threshold', () => ({ kind: 'threshold', role: 'team-vision', threshold: 3 }), 'conflict'],
  ['a threshold for an online role', () => ({ kind: 'threshold', role: 'timestamp', threshold: 1 }), 'bad-request'],
  ['a threshold for no role', () => ({ kind: 'threshold', role: 'team-nobody', threshold: 1 }), 'not-found'],
  ['a new key for a role of people', () => ({ kind: 'rotate', role: 'team-vision' }), 'conflict'],
  ['a new key for no role', () => ({ kind: 'rotate', role: 'team-nobody' }), 'not-found'],
  ['a team with the models of another', () => team({ models: ['vision-faces'] }), 'conflict'],
  ['the same by a wider pattern', () => team({ models: ['vis*'] }), 'conflict'],
  ['a team with too few keys', () => team({ threshold: 3 }), 'conflict'],
  ['a team with a key twice', () => team(people(['ann', 'ann'])), 'conflict'],
  ['a team of the Director', () => team({}), 'bad-request', 'director'],
  ['a team that loses a model it signed', () => team({ team: 'vision', models: ['vision-*'] }), 'conflict'],
  ['removing a team that has signed', () => ({ kind: 'remove-team', team: 'vision' }), 'conflict'],
  ['removing no team', () => ({ kind: 'remove-team', team: 'nobody' }), 'not-found'],
  ['a floor above every release', () => ({ kind: 'floor', model: 'digits', releaseCounter: 9 }), 'not-found'],
  ['a floor of the Director', () => ({ kind: 'floor', model: 'digits', releaseCounter: 1 }), 'bad-request', 'director'],
  ['renewing no role', () => ({ kind: 'renew', role: 'team-nobody' }), 'bad-request'],
  ['renewing what the Director renews', () => ({ kind: 'renew', role: 'timestamp' }), 'bad-request', 'director'],
])('%s', (_what, change, code, repository = 'image') => {
  it('is refused and changes nothing', async () => {
    const before = await world.service.status();
    await expect(world.change(repository, change())).rejects.toMatchObject({ code, hint: expect.any(String) });
    expect(await world.service.status()).toEqual(before);
  });
}); // prettier-ignore
