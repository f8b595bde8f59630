import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinMemory, regression } from '#agent/adapters/tuf-memory.ts';
import type { VersionMemory } from '#agent/adapters/tuf-memory.ts';

const version = fc.nat({ max: 5 });
const keyIds = (...ids: string[]): VersionMemory['keyIds'] => ({ timestamp: ids, snapshot: ids });
const sameKeys: fc.Arbitrary<VersionMemory> = fc.record({
  root: version,
  keyIds: fc.constant(keyIds('a', 'b')),
  timestamp: version,
  snapshot: version,
  roles: fc.dictionary(fc.constantFrom('targets.json', 'team-x.json', 'team-y.json'), version),
  floorMs: version,
});

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

  it('is none once a higher root takes a key away, and is one when the same root does', () => {
    fc.assert(
      fc.property(sameKeys, sameKeys, (memory, fresh) => {
        expect(regression(memory, { ...fresh, root: memory.root + 1, keyIds: keyIds('a', 'c') })).toBeNull();
        expect(regression(memory, { ...fresh, root: memory.root, keyIds: keyIds('a', 'c') })).not.toBeNull();
      }),
    );
  });
});

it('goes on while keys are only added: what the old ones signed still counts', () => {
  fc.assert(
    fc.property(sameKeys, sameKeys, (memory, fresh) => {
      const next = { ...fresh, root: memory.root + 1, keyIds: keyIds('a', 'b', 'c') };
      fc.pre(fresh.timestamp < memory.timestamp);
      expect(regression(memory, next)).toContain('timestamp');
      expect(joinMemory(memory, next)).toMatchObject({
        keyIds: keyIds('a', 'b', 'c'),
        timestamp: memory.timestamp,
        floorMs: Math.max(memory.floorMs, fresh.floorMs),
      });
    }),
  );
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

  it('keeps the memory of the newer root alone when that took a key away', () => {
    fc.assert(
      fc.property(sameKeys, sameKeys, (a, b) => {
        const newer = { ...b, root: a.root + 1, keyIds: keyIds('a', 'c') };
        expect(joinMemory(a, newer)).toEqual(newer);
        expect(joinMemory(newer, a)).toEqual(newer);
      }),
    );
  });
});
