import { describe, expect, it } from 'vitest';
import { signedMeasurement } from '#agent/adapters/tuf-measurement.ts';
import type { JsonObject } from '#control-plane/trust/keys/signed-bytes.ts';
import { imageWords } from '#test/fakes/image-words.ts';
import type { SignedWord } from '#test/fakes/image-words.ts';

const PATH = 'digits/1/candidates/0123456789abcdef.json';
const SHA256 = 'c'.repeat(64);

const target = (custom: JsonObject, change: Partial<SignedWord> = {}) =>
  imageWords([{ path: PATH, role: 'measurements', sha256: SHA256, custom, ...change }]).found.get(PATH);
const measure = { profile: 'jetson', purpose: 'measure' };
const mismatch = expect.objectContaining({ code: 'tuf-mismatch' });

describe('a target that may be timed', () => {
  it('is one that was signed for that, and for this profile', () => {
    expect(signedMeasurement(PATH, target(measure), 'jetson')).toEqual({ sha256: SHA256, sizeBytes: 9 });
    expect(() => signedMeasurement(PATH, target(measure), 'x86-cpu')).toThrow(mismatch);
    expect(() => signedMeasurement(PATH, undefined, 'jetson')).toThrow(mismatch);
  });

  it('is never a release, by its path or by what is signed beside it', () => {
    const release = { profile: 'jetson', releaseCounter: 4 };
    expect(() => signedMeasurement(PATH, target(release), 'jetson')).toThrow(mismatch);
    expect(() => signedMeasurement(PATH, target({ ...release, ...measure }), 'jetson')).toThrow(mismatch);
    expect(() => signedMeasurement('digits/1/jetson.json', target(measure), 'jetson')).toThrow(mismatch);
    expect(() => signedMeasurement(PATH, target({ profile: 'jetson', purpose: 'serve' }), 'jetson')).toThrow(
      mismatch,
    );
    expect(() => signedMeasurement(PATH, target({}), 'jetson')).toThrow(mismatch);
  });

  it.each(['targets', 'team-a', 'pipeline', null])('is not what %s signed', (role) => {
    expect(() => signedMeasurement(PATH, target(measure, { role }), 'jetson')).toThrow(mismatch);
  });

  it('is not longer than what fits into memory', () => {
    const long = target(measure, { length: 64 * 1024 ** 2 + 1 });
    expect(() => signedMeasurement(PATH, long, 'jetson')).toThrow(mismatch);
  });

  it('has a sha256 and bytes', () => {
    expect(() => signedMeasurement(PATH, target(measure, { hashes: { sha512: 'd' } }), 'jetson')).toThrow(
      mismatch,
    );
    expect(() => signedMeasurement(PATH, target(measure, { length: 0 }), 'jetson')).toThrow(mismatch);
  });
});
