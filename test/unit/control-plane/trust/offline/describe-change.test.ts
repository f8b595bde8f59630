import { describe, expect, it } from 'vitest';
import { describeChange } from '#control-plane/trust/offline/describe-change.ts';

const KEY_A = 'a'.repeat(64);
const KEY_B = 'b'.repeat(64);

const root = (change: object = {}) => ({
  _type: 'root',
  spec_version: '1.0.31',
  consistent_snapshot: true,
  version: 1,
  expires: '2036-01-01T00:00:00Z',
  keys: {
    [KEY_A]: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: '00' }, 'x-holdfast-owner': 'Ada' },
  },
  roles: { root: { keyids: [KEY_A], threshold: 1 } },
  ...change,
});

const targets = (change: object = {}) => ({
  _type: 'targets',
  spec_version: '1.0.31',
  version: 4,
  expires: '2027-01-01T00:00:00Z',
  targets: { 'digits/1/cpu.json': { length: 3, hashes: { sha256: '11' } } },
  delegations: {
    keys: {},
    roles: [{ name: 'team-a', keyids: [KEY_A], threshold: 1, terminating: false, paths: ['a-*/*/*.json'] }],
  },
  holdfast: { floors: { digits: 2 } },
  ...change,
});

describe('what is about to be signed, in words', () => {
  it('is all of it where there is nothing before', () => {
    const text = describeChange(null, root()).join('\n');
    expect(text).toContain('version 1, good until 2036-01-01T00:00:00Z');
    expect(text).toContain(`+ role root: 1 of 1 keys: ${KEY_A} ("Ada")`);
    expect(text).toContain('+ field consistent_snapshot: true');
  });

  it('is the version alone where nothing else changes', () => {
    expect(describeChange(targets(), targets({ version: 5 }))).toEqual([
      'version 4 -> 5, good until 2027-01-01T00:00:00Z',
    ]);
  });

  it.each<[string, object, object, string]>([
    [
      'a threshold',
      root(),
      root({ roles: { root: { keyids: [KEY_A], threshold: 2 } } }),
      '+ role root: 2 of 1',
    ],
    [
      'a key of a role',
      root(),
      root({ roles: { root: { keyids: [KEY_A, KEY_B], threshold: 1 } } }),
      'not listed',
    ],
    [
      'the bytes under a key id',
      root(),
      root({ keys: { [KEY_A]: { keyval: { public: '01' } } } }),
      '+ key aaaa',
    ],
    ['a target', targets(), targets({ targets: {} }), '- target digits/1/cpu.json'],
    [
      'a digest',
      targets(),
      targets({ targets: { 'digits/1/cpu.json': { length: 3, hashes: { sha256: '12' } } } }),
      '"12"',
    ],
    [
      'a floor',
      targets(),
      targets({ holdfast: { floors: { digits: 3 } } }),
      '+ holdfast floors: {"digits":3}',
    ],
    ['an unknown field', targets(), targets({ more: 1 }), '+ field more: 1'],
    [
      'consistent snapshots',
      root(),
      root({ consistent_snapshot: false }),
      '- field consistent_snapshot: true',
    ],
  ])('tells a change of %s', (_what, before, after, line) => {
    expect(describeChange(before, after).join('\n')).toContain(line);
  });

  it('tells the order of delegations, which decides whose word counts', () => {
    const [first] = targets().delegations.roles;
    const second = { ...first, name: 'team-b', paths: ['b-*/*/*.json'] };
    const both = (roles: unknown[]) => targets({ delegations: { keys: {}, roles } });
    expect(describeChange(both([first, second]), both([second, first])).join('\n')).toContain(
      'asked in the order team-b, team-a',
    );
  });

  it('refuses delegations by means that it does not put into words', () => {
    const hashed = {
      name: 'team-a', keyids: [KEY_A], threshold: 1, terminating: false, path_hash_prefixes: ['0'],
    }; // prettier-ignore
    expect(() => describeChange(null, targets({ delegations: { keys: {}, roles: [hashed] } }))).toThrow(
      'path_hash_prefixes',
    );
  });
});
