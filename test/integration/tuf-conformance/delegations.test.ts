// The search for a target through delegations: TUF 1.0 sections 4.5, 5.6.7 and 6.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digest } from './simulator.ts';
import type { DelegationJson, Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';

let world: SimulatedWorld;
let repository: Simulator;

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
});
afterEach(() => world[Symbol.asyncDispose]());

type Edge = [from: string, to: string, change?: Partial<DelegationJson>];
const only = (path: string): Partial<DelegationJson> => ({ paths: [path] });
const END: Partial<DelegationJson> = { terminating: true };

function publish(edges: readonly Edge[]): void {
  for (const edge of edges) repository.delegate(...edge);
  repository.publishAll();
}

describe('visits', () => {
  it.each<[string, Edge[], string[]]>([
    ['a delegation', [['targets', 'a']], ['a']],
    [
      'delegations in the order of their appearance',
      [
        ['targets', 'b'],
        ['targets', 'a'],
      ],
      ['b', 'a'],
    ],
    [
      'names like numbers in that order too',
      [
        ['targets', '10'],
        ['targets', 'x'],
        ['targets', '2'],
      ],
      ['10', 'x', '2'],
    ],
    [
      'depth first',
      [
        ['targets', 'a'],
        ['targets', 'b'],
        ['a', 'c'],
        ['a', 'd'],
      ],
      ['a', 'c', 'd', 'b'],
    ],
    [
      'nothing that does not match',
      [
        ['targets', 'a', only('*.py')],
        ['targets', 'b'],
        ['a', 'c'],
      ],
      ['b'],
    ],
    [
      'nothing below what does not match',
      [
        ['targets', 'a'],
        ['a', 'b', only('*.py')],
        ['b', 'c'],
      ],
      ['a'],
    ],
    [
      'nothing after a terminating role',
      [
        ['targets', 'a', END],
        ['targets', 'b'],
      ],
      ['a'],
    ],
    [
      'what is below a terminating role',
      [
        ['targets', 'a', END],
        ['a', 'b'],
        ['targets', 'c'],
      ],
      ['a', 'b'],
    ],
    [
      'nothing else once a role far down terminates',
      [
        ['targets', 'a'],
        ['targets', 'b'],
        ['a', 'c', END],
        ['a', 'd'],
      ],
      ['a', 'c'],
    ],
    [
      'what follows a terminating role that does not match',
      [
        ['targets', 'a', { ...END, ...only('*.py') }],
        ['targets', 'b'],
      ],
      ['b'],
    ],
    [
      'a circle once',
      [
        ['targets', 'a'],
        ['a', 'b'],
        ['b', 'c'],
        ['c', 'a'],
      ],
      ['a', 'b', 'c'],
    ],
    [
      'itself no more',
      [
        ['targets', 'a'],
        ['a', 'a'],
      ],
      ['a'],
    ],
    [
      'a role that two lead to once',
      [
        ['targets', 'a'],
        ['targets', 'b'],
        ['a', 'c'],
        ['b', 'c'],
      ],
      ['a', 'c', 'b'],
    ],
  ])('%s', async (_, edges, visited) => {
    publish(edges);
    expect(await world.searched('missing')).toEqual(visited);
  });

  it('no more than 33 roles, however many there are', async () => {
    publish(Array.from({ length: 40 }, (_, at): Edge => [at === 0 ? 'targets' : `r${at - 1}`, `r${at}`]));
    expect(await world.searched('missing')).toHaveLength(32);
  });

  it('no role when the target is in targets itself', async () => {
    repository.addTarget('targets', 'file', Buffer.from('file'));
    publish([['targets', 'a']]);
    expect(await world.searched('file')).toEqual([]);
  });
});

describe('a target', () => {
  it('is taken from the most trusted role that lists it', async () => {
    publish([
      ['targets', 'a'],
      ['targets', 'b'],
    ]);
    const first = repository.addTarget('a', 'file', Buffer.from('of a'));
    repository.addTarget('b', 'file', Buffer.from('of b'));
    repository.publishAll();
    const { found } = await world.refresh('file');
    expect(found.get('file')?.target.hashes).toEqual(first.hashes);
    expect(found.get('file')?.role).toBe('a');
  });

  it('of a role to which its path is not delegated is nobody’s', async () => {
    publish([['targets', 'x', only('x/*')]]);
    repository.addTarget('x', 'y/file', Buffer.from('file'));
    repository.publishAll();
    expect((await world.refresh('y/file')).found.size).toBe(0);
  });

  it.each<[string, string, boolean]>([
    ['x/*', 'x/file', true],
    ['x/*', 'x/y/file', false],
    ['x/*', 'x/.hidden', true],
    ['x/?.bin', 'x/1.bin', true],
    ['x/?.bin', 'x/12.bin', false],
    ['*.md', 'README.md', true],
    ['*a*b*', 'xxaxxbxx', true],
    ['*a*b*', 'xxbxxaxx', false],
    ['!x', 'y', false],
    ['{x,y}', 'x', false],
    ['x*', 'x', true],
    ['', 'x', false],
  ])('under %s: %s is delegated: %s', async (pattern, path, isDelegated) => {
    publish([['targets', 'x', only(pattern)]]);
    repository.addTarget('x', path, Buffer.from('file'));
    repository.publishAll();
    expect((await world.refresh(path)).found.has(path)).toBe(isDelegated);
  });

  it('is delegated by the hash of its path', async () => {
    const hash = digest('file', 'sha256');
    publish([
      ['targets', 'other', { path_hash_prefixes: [hash.startsWith('0') ? '1' : '0'] }],
      ['targets', 'bin', { path_hash_prefixes: ['ff', hash.slice(0, 3)] }],
    ]);
    repository.addTarget('bin', 'file', Buffer.from('file'));
    repository.publishAll();
    expect(await world.searched('file')).toEqual(['bin']);
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'called %s is found only if signed',
    async (path) => {
      publish([['targets', 'a']]);
      expect((await world.refresh(path)).found.size).toBe(0);
      repository.addTarget('a', 'other', Buffer.from('other'));
      Object.defineProperty(repository.targets.get('a')?.targets, path, {
        value: { length: 1, hashes: { sha256: digest('x', 'sha256') } },
        enumerable: true,
      });
      repository.publishAll();
      expect((await world.refresh(path)).found.get(path)?.target.length).toBe(1);
    },
  );
});
