import { Key } from '@tufjs/models';
import { describe, expect, it } from 'vitest';
import { authorshipOf, pathsToFind, releaseNameOf, signedRelease } from '#agent/adapters/tuf-authorship.ts';
import type { JsonObject } from '#control-plane/trust/keys/signed-bytes.ts';
import { imageWords } from '#test/fakes/image-words.ts';
import type { SignedWord } from '#test/fakes/image-words.ts';

const PATH = 'digits/4/jetson.json';
const SOURCE = 'digits/4/source/contract.json';
const SIGNATURE = 'digits/4/source/signature.json';
const SOURCE_SHA256 = 'a'.repeat(64);
const KEY = new Key({
  keyID: 'b'.repeat(64),
  keyType: 'ed25519',
  scheme: 'ed25519',
  keyVal: { public: 'c'.repeat(64) },
});

const release = (role: string | null, custom: JsonObject = {}): SignedWord => ({
  path: PATH,
  role,
  custom: { profile: 'jetson', releaseCounter: 4, ...custom },
});
const source = (role: string | null, change: Partial<SignedWord> = {}): SignedWord => ({
  path: SOURCE,
  role,
  sha256: SOURCE_SHA256,
  custom: { kind: 'source' },
  ...change,
});
const signature = (role: string, change: Partial<SignedWord> = {}): SignedWord => ({
  path: SIGNATURE,
  role,
  custom: { kind: 'author-signature' },
  ...change,
});
const named = { sourceSha256: SOURCE_SHA256 };

function authorship(words: readonly SignedWord[], fields: Readonly<Record<string, unknown>> = {}) {
  const name = releaseNameOf(PATH);
  if (name === null) throw new Error('no name');
  const image = imageWords(words, fields, [KEY]);
  return authorshipOf(name, signedRelease(name, image), image);
}
const refusal = (code: string): unknown => expect.objectContaining({ name: 'HoldfastError', code });
const refused = (
  words: readonly SignedWord[],
  code: string,
  fields: Readonly<Record<string, unknown>> = {},
) => expect(() => authorship(words, fields)).toThrow(refusal(code));

describe('a release counts', () => {
  it.each(['targets', 'team-a'])('as the word of its authors when %s holds it', (role) => {
    expect(authorship([release(role)])).toEqual({ floor: 0, sourceSha256: null, authorSignature: null });
  });

  it('from the pipeline when it names the source that authors signed', () => {
    const { sourceSha256 } = authorship([release('pipeline', named), source('team-a')]);
    expect(sourceSha256).toBe(SOURCE_SHA256);
  });

  it.each([
    ['names none', [release('pipeline'), source('team-a')]],
    ['names another', [release('pipeline', { sourceSha256: 'e'.repeat(64) }), source('team-a')]],
    ['names one that nobody signed', [release('pipeline', named)]],
    ['names one that it signed itself', [release('pipeline', named), source('pipeline')]],
    ['names one of the measurements', [release('pipeline', named), source('measurements')]],
    ['names one of a role further down', [release('pipeline', named), source(null)]],
    [
      'names what authors signed as something else',
      [release('pipeline', named), source('team-a', { custom: { kind: 'author-signature' } })],
    ],
  ] as const)('not from the pipeline when it %s', (_, words) => {
    refused(words, 'tuf-mismatch');
  });

  it.each(['measurements', 'snapshot', 'constructor', 'team', null])('never from %s', (role) => {
    refused([release(role, named), source('team-a')], 'tuf-mismatch');
  });

  it('of an author role only under the source it names, and always under one that is there', () => {
    expect(authorship([release('team-a'), source('team-a')]).sourceSha256).toBe(SOURCE_SHA256);
    refused([release('team-a', { sourceSha256: 'e'.repeat(64) }), source('team-a')], 'tuf-mismatch');
    refused([release('team-a', named)], 'tuf-mismatch');
  });
});

describe('the floor', () => {
  const words = [release('pipeline', named), source('team-a')];

  it('is the highest that targets or the authors of the model signed', () => {
    const floors = (digits: number) => ({ floors: { digits, other: 9 } });
    expect(authorship(words, { targets: floors(2), 'team-a': floors(3) }).floor).toBe(3);
    expect(authorship(words, { targets: floors(4), 'team-a': floors(3) }).floor).toBe(4);
    expect(authorship([release('team-a'), source('targets')], { 'team-a': floors(5) }).floor).toBe(5);
  });

  it('is of versions too, which nobody but authors numbers', () => {
    const lowest = (digits: number) => ({ targets: { lowestVersions: { digits } } });
    expect(() => authorship(words, lowest(5))).toThrow(expect.objectContaining({ code: 'tuf-below-floor' }));
    expect(authorship(words, lowest(4)).floor).toBe(0);
  });

  it('is not for the pipeline to say', () => {
    expect(authorship(words, { pipeline: { floors: { digits: 9 } } }).floor).toBe(0);
  });
});

describe('the signature of the authors', () => {
  const asked = { targets: { authorSignatures: { 'team-a': 'device' } } };
  const words = [release('pipeline', named), source('team-a')];

  it('is asked for where targets says so of the role that signed the source', () => {
    const { authorSignature } = authorship(
      [...words, signature('team-a', { sha256: 'd'.repeat(64) })],
      asked,
    );
    expect(authorSignature).toEqual({
      bundle: { sha256: 'd'.repeat(64), sizeBytes: 9 },
      keys: [{ keyId: KEY.keyID, scheme: 'ed25519', public: KEY.keyVal.public, owner: '' }],
    });
    for (const other of ['none', 'import']) {
      const { authorSignature: none } = authorship(words, {
        targets: { authorSignatures: { 'team-a': other, targets: 'device' } },
      });
      expect(none).toBeNull();
    }
  });

  it('is no matter of the role itself', () => {
    expect(
      authorship(words, { 'team-a': { authorSignatures: { 'team-a': 'device' } } }).authorSignature,
    ).toBeNull();
  });

  it('is missed when it is not there, of another role, or has no source beside it', () => {
    refused(words, 'signature-missing', asked);
    refused([...words, signature('pipeline')], 'signature-missing', asked);
    refused([...words, signature('targets')], 'signature-missing', asked);
    refused([release('team-a'), signature('team-a')], 'signature-missing', asked);
  });

  it('is refused when it is too long, or signed as something else', () => {
    refused([...words, signature('team-a', { length: 1_000_000 })], 'tuf-mismatch', asked);
    refused([...words, signature('team-a', { custom: { kind: 'source' } })], 'tuf-mismatch', asked);
  });
});

it('looks up the release, its source and its signature', () => {
  const name = releaseNameOf(PATH);
  expect(name === null ? [] : pathsToFind(name)).toEqual([PATH, SOURCE, SIGNATURE]);
});
