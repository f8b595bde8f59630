import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { Metadata, Targets } from '@tufjs/models';
import { describe, expect, it } from 'vitest';
import {
  RoleKey,
  assertUsableKey,
  isSignedBy,
  trustKeyOf,
  tufKey,
} from '#control-plane/trust/keys/role-key.ts';
import { signedBytes } from '#control-plane/trust/keys/signed-bytes.ts';

const BYTES = Buffer.from('bytes');

describe.each(['ed25519', 'ecdsa-sha2-nistp256'] as const)('a key of %s', (scheme) => {
  const key = RoleKey.generate(scheme);
  const { sig } = key.sign(BYTES);

  it('signs what it alone is found to have signed', () => {
    expect(isSignedBy(key.trustKey, BYTES, sig)).toBe(true);
    expect(isSignedBy(key.trustKey, Buffer.from('other'), sig)).toBe(false);
    expect(isSignedBy(RoleKey.generate(scheme).trustKey, BYTES, sig)).toBe(false);
    expect(isSignedBy(key.trustKey, BYTES, '00')).toBe(false);
    expect(isSignedBy({ ...key.trustKey, public: 'no key' }, BYTES, sig)).toBe(false);
  });

  it('signs what every TUF client verifies', () => {
    const metadata = new Metadata(
      new Targets({
        version: 1,
        expires: '2031-01-01T00:00:00Z',
        specVersion: '1.0.31',
        unrecognizedFields: { text: 'a "b" \\ \n ü' },
      }),
    );
    metadata.sign((bytes) => key.sign(bytes));
    expect(() => tufKey(key.trustKey).verifySignature(metadata)).not.toThrow();
    const ours = signedBytes(metadata.signed.toJSON());
    expect(isSignedBy(key.trustKey, ours, metadata.signatures[key.keyId]?.sig ?? '')).toBe(true);
  });

  it('has one id, whoever owns it', () => {
    expect(trustKeyOf(createPublicKey(key.privateKey), 'ann')).toEqual({ ...key.trustKey, owner: 'ann' });
    expect(() => assertUsableKey({ ...key.trustKey, owner: 'ann' })).not.toThrow();
    expect(() => assertUsableKey({ ...key.trustKey, keyId: '0'.repeat(64) })).toThrow('is not the id');
  });

  it('is refused under a second id that another spelling of it has', () => {
    const text = scheme === 'ed25519' ? key.trustKey.public.toUpperCase() : `${key.trustKey.public}\n`;
    const spelled = { ...key.trustKey, public: text };
    const keyId = idOf(spelled);
    expect(() => tufKey({ ...spelled, keyId })).not.toThrow();
    expect(() => assertUsableKey({ ...spelled, keyId })).toThrow('is not the id');
  });
});

/** The id that follows from a key as it is spelled. */
function idOf({ scheme, public: text }: RoleKey['trustKey']): string {
  const keytype = scheme === 'ed25519' ? 'ed25519' : 'ecdsa';
  const description = signedBytes({ keytype, scheme, keyval: { public: text } });
  return createHash('sha256').update(description).digest('hex');
}

it('refuses keys of other kinds', () => {
  const { privateKey } = generateKeyPairSync('ed448');
  expect(() => new RoleKey(privateKey)).toThrow('cannot sign here');
});

describe('signed bytes', () => {
  it('keep every character but backslash and quote', () => {
    expect(signedBytes({ b: 'a\n"\\', a: [1, true, null] }).toString()).toBe(
      '{"a":[1,true,null],"b":"a\n\\"\\\\"}',
    );
  });

  it('have no fractions', () => {
    expect(() => signedBytes({ a: 0.5 })).toThrow('whole numbers');
  });
});
