import { expect, it, describe } from 'vitest';
import { Metadata, MetadataKind, Targets } from '@tufjs/models';
import { RoleKey, trustKeyOf } from '#control-plane/trust/keys/role-key.ts';
import { isSignedBefore, signStaged } from '#control-plane/trust/offline/sign-staged.ts';
import { createPublicKey } from 'node:crypto';
import type { StagedRole } from '#protocol/trust.ts';

const EXPIRES = '2036-01-01T00:00:00Z';

const metadata = (version: number, signers: readonly RoleKey[], more: object = {}) => {
  const document = new Metadata(
    new Targets({ version, specVersion: '1.0.31', expires: EXPIRES, unrecognizedFields: { ...more } }),
  );
  for (const key of signers) document.sign((bytes) => key.sign(bytes), true);
  return document.toJSON() as { signed: StagedRole['signed']; signatures: unknown[] };
};

const staged = (key: RoleKey, change: Partial<StagedRole> = {}): StagedRole => ({
  repository: 'image',
  role: 'team-a',
  version: 2,
  signed: metadata(2, []).signed,
  before: metadata(1, [key]) as unknown as StagedRole['signed'],
  signatures: [],
  needs: [{ by: 'own', threshold: 1, keyIds: [key.keyId], signedBy: [] }],
  ...change,
});

describe.each(['ed25519', 'ecdsa-sha2-nistp256'] as const)('a person with a key of %s', (scheme) => {
  const key = RoleKey.generate(scheme);
  const shown = trustKeyOf(createPublicKey(key.privateKey));

  it('signs what every verifier of TUF reads', () => {
    const waiting = staged(key);
    const { keyid, sig } = signStaged(waiting, key.privateKey);
    const signed = Metadata.fromJSON(MetadataKind.Targets, {
      signed: waiting.signed,
      signatures: [{ keyid, sig }],
    });
    expect(() => key.publicKey.verifySignature(signed)).not.toThrow();
  });

  it('knows what she signed before, and does not take the word of others for it', () => {
    const other = RoleKey.generate(scheme);
    expect(isSignedBefore(staged(key), shown)).toBe(true);
    expect(isSignedBefore(staged(key, { before: null }), shown)).toBe(false);
    expect(isSignedBefore(staged(key, { before: metadata(1, [other]) as never }), shown)).toBe(false);
    const changed = { ...metadata(1, [key]), signed: metadata(1, [], { more: 1 }).signed };
    expect(isSignedBefore(staged(key, { before: changed as never }), shown)).toBe(false);
  });

  it('signs for no role that does not ask for her key', () => {
    expect(() => signStaged(staged(key), RoleKey.generate(scheme).privateKey)).toThrow(
      'does not ask for key',
    );
  });

  it.each<[string, Partial<StagedRole>]>([
    ['a version that is published already', { before: metadata(2, [key]) as never }],
    [
      'what leaves a version out, which an old "before" would hide',
      { version: 3, signed: metadata(3, []).signed },
    ],
    ['another version than the one that is told', { version: 3 }],
    ['what is for another role', { signed: metadata(2, [], { holdfast: { role: 'targets' } }).signed }],
    ['what is no targets metadata', { signed: { _type: 'snapshot', version: 2 } }],
  ])('does not sign %s', (_what, change) => {
    expect(() => signStaged(staged(key, change), key.privateKey)).toThrow('the staged team-a');
  });
});
