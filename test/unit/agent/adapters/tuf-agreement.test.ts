import { TargetFile, Targets } from '@tufjs/models';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agree, readDirectorOrder } from '#agent/adapters/tuf-agreement.ts';
import { releaseNameOf } from '#agent/adapters/tuf-authorship.ts';
import { encodeDirectorCustom } from '#protocol/director-custom.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import type { DirectorCustom } from '#protocol/release.ts';
import { imageWords } from '#test/fakes/image-words.ts';

const PATH = 'digits/4/jetson.json';
const DEVICE = { deviceId: 'edge-1', profile: 'jetson' };
const SHA256 = 'c'.repeat(64);
const ORDER: DirectorCustom = {
  deviceId: 'edge-1',
  rolloutId: 'r-1',
  seq: 5,
  profile: 'jetson',
  releaseCounter: 4,
  policy: DEFAULT_DEPLOYMENT_POLICY,
};

interface Said {
  path: string;
  length: number;
  hashes: Record<string, string>;
  profile: string;
  releaseCounter: number;
}
const SAID: Said = {
  path: PATH,
  length: 9,
  hashes: { sha256: SHA256 },
  profile: 'jetson',
  releaseCounter: 4,
};

const metadata = { version: 1, specVersion: '1.0.31', expires: '2040-01-01T00:00:00Z' };
type Orders = [string, Record<string, unknown>][];
const directorTargets = (...orders: Orders): Targets => directorTargetsOf(9, ...orders);
function directorTargetsOf(length: number, ...orders: Orders): Targets {
  const targets = new Targets(metadata);
  for (const [path, custom] of orders) {
    targets.addTarget(
      new TargetFile({
        path,
        length,
        hashes: { sha256: SHA256 },
        unrecognizedFields: { custom: custom as never },
      }),
    );
  }
  return targets;
}

function verdict(change: {
  said?: Partial<Said> | null;
  order?: Partial<DirectorCustom>;
  path?: string;
  /** That the Director names, bytes. */
  length?: number;
  holdfast?: unknown;
}) {
  const { said = {}, order = {}, path = PATH, length = 9, holdfast } = change;
  const targets = directorTargetsOf(length, [path, encodeDirectorCustom({ ...ORDER, ...order })]);
  const ordered = readDirectorOrder(targets, DEVICE, 5);
  const name = releaseNameOf(path);
  if (ordered === null || name === null) throw new Error('no order');
  const { profile, releaseCounter, ...target } = { ...SAID, ...said };
  const signed = { ...target, path, role: 'targets', custom: { profile, releaseCounter } };
  return agree(ordered, name, imageWords(said === null ? [] : [signed], { targets: holdfast }));
}
const refusal = (code: string): unknown => expect.objectContaining({ name: 'HoldfastError', code });

describe('an order', () => {
  it('is refused for a manifest that would not fit into memory', () => {
    const length = 64 * 1024 ** 2 + 1;
    expect(() => verdict({ said: { length }, length })).toThrow('is longer than 67108864 bytes');
  });

  it('is given back when both repositories say the same', () => {
    expect(verdict({ holdfast: { floors: { digits: 4, other: 9 } } })).toEqual({
      targetPath: PATH,
      manifestSha256: SHA256,
      manifestLengthBytes: 9,
      order: ORDER,
      floor: 4,
      sourceSha256: null,
      authorSignature: null,
    });
  });

  it('is null when the Director has no target', () => {
    expect(readDirectorOrder(directorTargets(), DEVICE, 0)).toBeNull();
  });

  it('is refused when anything at all is different between the two', () => {
    const said = fc.oneof(
      fc.record({ length: fc.nat().filter((length) => length !== 9) }),
      fc.record({ profile: fc.stringMatching(/^[a-z]{1,9}$/).filter((name) => name !== 'jetson') }),
      fc.record({ releaseCounter: fc.nat().filter((counter) => counter !== 4) }),
      fc.record({ hashes: fc.record({ sha256: fc.stringMatching(/^[0-9a-f]{64}$/) }) }),
      fc.constant({ hashes: {} }),
      fc.constant({ hashes: { sha512: SHA256 } }),
      fc.constant({ hashes: { sha256: SHA256, sha512: SHA256 } }),
      fc.constant({ hashes: { sha256: SHA256.toUpperCase() } }),
    );
    fc.assert(
      fc.property(said, (change) => {
        expect(() => verdict({ said: change })).toThrow(refusal('tuf-mismatch'));
      }),
    );
  });

  it.each([
    ['tuf-wrong-device', { order: { deviceId: 'edge-2' } }],
    ['tuf-wrong-device', { order: { profile: 'cpu' } }],
    ['tuf-rollback', { order: { seq: 4 } }],
    ['tuf-mismatch', { path: 'digits/4/cpu.json' }],
    ['tuf-below-floor', { holdfast: { floors: { digits: 5 } } }],
    ['tuf-mismatch', { holdfast: { floors: { digits: -1 } } }],
    ['tuf-mismatch', { holdfast: { floors: 'none' } }],
  ] as const)('is refused with %s for %j', (code, change) => {
    expect(() => verdict(change)).toThrow(refusal(code));
  });

  it('is refused when the Image repository has no such target', () => {
    expect(() => verdict({ said: null })).toThrow(refusal('tuf-mismatch'));
  });

  it.each(['digits/0/jetson.json', 'digits/jetson.json', 'digits/4/x/jetson.json', 'digits/4/jetson'])(
    'has no name in %s',
    (path) => {
      expect(releaseNameOf(path)).toBeNull();
    },
  );

  it('is refused when there are two of them, or its words cannot be read', () => {
    const custom = encodeDirectorCustom(ORDER);
    const two = directorTargets([PATH, custom], ['digits/5/jetson.json', custom]);
    expect(() => readDirectorOrder(two, DEVICE, 0)).toThrow(refusal('tuf-mismatch'));
    for (const broken of [{}, { ...custom, policy: '{' }, { ...custom, extra: 1 }, { ...custom, seq: 1.5 }]) {
      expect(() => readDirectorOrder(directorTargets([PATH, broken]), DEVICE, 0)).toThrow(
        refusal('tuf-mismatch'),
      );
    }
  });

  it('of the same seq as before is taken, of a lower one not', () => {
    const targets = directorTargets([PATH, encodeDirectorCustom(ORDER)]);
    expect(readDirectorOrder(targets, DEVICE, 5)?.order.seq).toBe(5);
    expect(() => readDirectorOrder(targets, DEVICE, 6)).toThrow(refusal('tuf-rollback'));
  });

  it('has a floor of 0 for a model whose name every object has', () => {
    const path = 'constructor/4/jetson.json';
    expect(verdict({ path, holdfast: { floors: { digits: 9 } } }).floor).toBe(0);
  });
});
