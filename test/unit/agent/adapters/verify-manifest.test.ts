import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { verifyManifest } from '#agent/adapters/verify-manifest.ts';
import type { VerifiedOrder } from '#agent/ports/release-verifier.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import { aManifest, digestOf } from '#test/fakes/agent-releases.ts';

const MANIFEST = aManifest(3);
const bytesOf = (manifest: unknown) => Buffer.from(JSON.stringify(manifest));

/** An order that binds exactly these bytes. */
function orderFor(bytes: Buffer, change: Partial<VerifiedOrder> = {}): VerifiedOrder {
  return {
    targetPath: `digits/3/${MANIFEST.profile}.json`,
    manifestSha256: createHash('sha256').update(bytes).digest('hex'),
    manifestLengthBytes: bytes.length,
    order: {
      deviceId: 'gate-1',
      rolloutId: 'r-1',
      seq: 1,
      profile: MANIFEST.profile,
      releaseCounter: 3,
      policy: DEFAULT_DEPLOYMENT_POLICY,
    },
    floor: 0,
    sourceSha256: null,
    authorSignature: null,
    ...change,
  };
}
const refusal = (code: string): unknown => expect.objectContaining({ name: 'HoldfastError', code });

describe('a manifest', () => {
  it('is given back when it is the one that was signed', () => {
    const bytes = bytesOf(MANIFEST);
    expect(verifyManifest(bytes, orderFor(bytes))).toEqual(MANIFEST);
  });

  it('is refused with a byte more, less or other', () => {
    const bytes = bytesOf(MANIFEST);
    const order = orderFor(bytes);
    expect(() => verifyManifest(bytes.subarray(1), order)).toThrow(refusal('length-mismatch'));
    expect(() => verifyManifest(Buffer.concat([bytes, Buffer.from(' ')]), order)).toThrow(
      refusal('length-mismatch'),
    );
    const flipped = Buffer.from(bytes);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    expect(() => verifyManifest(flipped, order)).toThrow(refusal('digest-mismatch'));
  });

  it.each(['', '{', '{}', 'null', JSON.stringify({ ...MANIFEST, schema: 'holdfast.release/v9' })])(
    'is refused when it was signed as %j',
    (text) => {
      const bytes = Buffer.from(text);
      expect(() => verifyManifest(bytes, orderFor(bytes))).toThrow(refusal('contract-invalid'));
    },
  );

  it.each([
    { version: 4 },
    { model: 'other' },
    { profile: 'jetson' },
    { releaseCounter: 4 },
    { contract: { ...MANIFEST.contract, model: 'other' } },
    { variant: { ...MANIFEST.variant, sourceSha256: 'f'.repeat(64) } },
  ] satisfies Partial<ReleaseManifest>[])(
    'is refused when it is signed for another release: %j',
    (change) => {
      const bytes = bytesOf({ ...MANIFEST, ...change });
      expect(() => verifyManifest(bytes, orderFor(bytes))).toThrow(refusal('tuf-mismatch'));
    },
  );

  it('carries the contract that its authors signed, and not a word else', () => {
    const sourceSha256 = digestOf(canonicalJson(MANIFEST.contract));
    const bytes = bytesOf(MANIFEST);
    expect(verifyManifest(bytes, orderFor(bytes, { sourceSha256 }))).toEqual(MANIFEST);
    const labels = MANIFEST.contract.labels.toReversed();
    const other = bytesOf({ ...MANIFEST, contract: { ...MANIFEST.contract, labels } });
    expect(() => verifyManifest(other, orderFor(other, { sourceSha256 }))).toThrow(refusal('tuf-mismatch'));
  });
});
