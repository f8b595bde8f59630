// Any sequence of changes, signatures, withdrawals and restarts leaves a repository that a real TUF client, which began
// with the first root, follows; and nothing that was released goes away for it.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HoldfastError } from '#protocol/errors.ts';
import type { Repository, TrustChange } from '#protocol/trust.ts';
import { Ceremony, listed, someKeys } from './ceremony.ts';

const KEYS = someKeys(4);
const RELEASE = 'digits/1/cpu.json';

const keys = fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 });
const signers = fc.tuple(keys, fc.integer({ min: 1, max: 3 })).map(([picked, threshold]) => ({
  keys: listed(picked.map((index) => KEYS[index] ?? expect.fail())),
  threshold,
}));
const anyKey = fc.constantFrom(...listed(KEYS));
const role = fc.constantFrom(
  'root',
  'targets',
  'snapshot',
  'timestamp',
  'pipeline',
  'measurements',
  'team-a',
);
const change: fc.Arbitrary<TrustChange> = fc.oneof(
  fc.record({ kind: fc.constant('take-over' as const), root: signers, targets: signers }),
  fc.record({ kind: fc.constant('add-key' as const), role, key: anyKey }),
  fc.record({ kind: fc.constant('remove-key' as const), role, keyId: anyKey.map(({ keyId }) => keyId) }),
  fc.record({ kind: fc.constant('threshold' as const), role, threshold: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('rotate' as const), role }),
  fc.record({ kind: fc.constant('renew' as const), role }),
  fc.record({ kind: fc.constant('pipeline' as const), enabled: fc.boolean() }),
  signers.map((of) => ({
    kind: 'team' as const, team: 'a', models: ['letters'], authorSignature: 'none' as const, ...of,
  })), // prettier-ignore
  fc.constant({ kind: 'remove-team' as const, team: 'a' }),
);
type Step = (world: Ceremony) => Promise<unknown>;
const repository = fc.constantFrom<Repository>('image', 'image', 'image', 'director');
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(repository, change).map(([of, asked]): Step => (world) => world.change(of, asked)) },
  { weight: 6, arbitrary: repository.map((of): Step => (world) => signAll(world, of)) },
  { weight: 3, arbitrary: fc.tuple(repository, fc.integer({ min: 0, max: 3 })).map(([of, index]): Step => (world) => signOne(world, of, index)) },
  { weight: 1, arbitrary: fc.tuple(repository, role).map(([of, name]): Step => (world) => world.service.withdrawStaged(of, name, 'token:test')) },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.restart()) },
  { weight: 2, arbitrary: fc.constantFrom('digits', 'letters').map((model): Step => (world) => world.source(model, 2)) },
); // prettier-ignore

function stateOf(world: Ceremony, of: Repository) {
  return (of === 'image' ? world.image : world.director).roles.state;
}

async function signOne(world: Ceremony, of: Repository, index: number): Promise<void> {
  for (const name of stateOf(world, of).staged.keys()) {
    await world.sign(of, name, [KEYS[index] ?? expect.fail()]).catch(isRefusal);
  }
}

async function signAll(world: Ceremony, of: Repository): Promise<void> {
  for (const index of KEYS.keys()) await signOne(world, of, index);
}

function isRefusal(error: unknown): void {
  if (!(error instanceof HoldfastError) || error.code === 'internal' || error.code === 'state-corrupt')
    throw error;
}

it('any sequence of changes and signatures is one that clients follow', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 12 }), async (sequence) => {
      await using world = await Ceremony.begin();
      await world.source('digits');
      await world.release('digits');
      await world.director.ensureDevice('edge-1');
      for (const step of sequence) {
        await step(world).catch(isRefusal);
        expect(await world.refresh(RELEASE)).toBe(3);
        await world.refreshDirector('edge-1');
      }
      await world.restart();
      expect(await world.refresh(RELEASE)).toBe(3);
    }),
    { numRuns: 30 },
  );
}, 120_000);
