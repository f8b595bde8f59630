import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinMemory, regression } from '#agent/adapters/tuf-memory.ts';
import type { VersionMemory } from '#agent/adapters/tuf-memory.ts';

const version = fc.nat({ max: 5 });
const memoryOfEpoch = (
  epoch: fc.Arbitrary<string>,
  root: fc.Arbitrary<number>,
): fc.Arbitrary<VersionMemory> =>
  fc.record({
    root,
    epoch,
    timestamp: version,
    snapshot: version,
    roles: fc.dictionary(fc.constantFrom('targets.json', 'team-x.json', 'team-y.json'), version),
  });
const sameKeys = memoryOfEpoch(fc.constant('keys'), version);

describe('regression', () => {
  it('is none from a memory to itself', () => {
    fc.assert(
      fc.property(sameKeys, (memory) => {
        expect(regression(memory, memory)).toBeNull();
      }),
    );
  });

  it('is found whenever any one version is lower', () => {
    fc.assert(
      fc.property(sameKeys, fc.constantFrom('root', 'timestamp', 'snapshot'), (memory, role) => {
        fc.pre(memory[role] > 0);
        expect(regression(memory, { ...memory, [role]: memory[role] - 1 })).toContain(role);
      }),
    );
  });

  it('is found when a role of targets is older, or gone', () => {
    fc.assert(
      fc.property(sameKeys, fc.integer({ min: 1, max: 5 }), (memory, remembered) => {
        const before = { ...memory, roles: { ...memory.roles, 'team-x.json': remembered } };
        expect(
          regression(before, { ...before, roles: { ...before.roles, 'team-x.json': remembered - 1 } }),
        ).toContain('team-x');
        const { 'team-x.json': _, ...rest } = before.roles;
        expect(regression(before, { ...before, roles: rest })).toContain('team-x');
      }),
    );
  });

  it('is none under new keys that a higher root names, and is one under new keys of the same root', () => {
    fc.assert(
      fc.property(sameKeys, sameKeys, (memory, fresh) => {
        expect(regression(memory, { ...fresh, root: memory.root + 1, epoch: 'new keys' })).toBeNull();
        expect(regression(memory, { ...fresh, root: memory.root, epoch: 'new keys' })).not.toBeNull();
      }),
    );
  });
});

describe('joinMemory', () => {
  it('knows all that both knew, in either order', () => {
    fc.assert(
      fc.property(sameKeys, sameKeys, (a, b) => {
        const joined = joinMemory(a, b);
        expect(regression(a, joined)).toBeNull();
        expect(regression(b, joined)).toBeNull();
        expect(joinMemory(b, a)).toEqual(joined);
        expect(joinMemory(joined, a)).toEqual(joined);
      }),
    );
  });

  it('keeps the memory of the newer root when the keys are different', () => {
    fc.assert(
      fc.property(sameKeys, sameKeys, (a, b) => {
        const newer = { ...b, root: a.root + 1, epoch: 'new keys' };
        expect(joinMemory(a, newer)).toEqual(newer);
        expect(joinMemory(newer, a)).toEqual(newer);
      }),
    );
  });
});
