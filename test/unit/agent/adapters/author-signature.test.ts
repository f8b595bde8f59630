import { createHash, createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { verifyAuthorSignature } from '#agent/adapters/author-signature.ts';
import type { VerifiedOrder } from '#agent/ports/release-verifier.ts';
import { RoleKey, trustKeyOf } from '#control-plane/trust/keys/role-key.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { KEY_SCHEMES } from '#protocol/trust.ts';
import { aManifest, anOrder, digestOf } from '#test/fakes/agent-releases.ts';
import { authorBundle } from '#test/fakes/author-bundle.ts';

const MANIFEST = aManifest(3);
const SOURCE_SHA256 = digestOf(canonicalJson(MANIFEST.contract));
const FILES = {
  'contract.json': SOURCE_SHA256,
  'golden.safetensors': MANIFEST.contract.golden.sha256,
  'weights.onnx': MANIFEST.contract.weights.sha256,
};
const AUTHOR = RoleKey.generate();

function orderFor(...authors: RoleKey[]): VerifiedOrder {
  return {
    ...anOrder({ seq: 1, version: 3 }),
    sourceSha256: SOURCE_SHA256,
    authorSignature: {
      bundle: { sha256: 'a'.repeat(64), sizeBytes: 1 },
      keys: authors.map(({ privateKey }) => trustKeyOf(createPublicKey(privateKey))),
    },
  };
}
const check = (bundle: Uint8Array, order = orderFor(AUTHOR)) =>
  verifyAuthorSignature(bundle, MANIFEST, order);
const invalid = expect.objectContaining({ name: 'HoldfastError', code: 'signature-invalid' });
const missing = expect.objectContaining({ name: 'HoldfastError', code: 'signature-missing' });

describe('the signature of the authors', () => {
  it.each(KEY_SCHEMES)('holds by any of their keys (%s)', (scheme) => {
    const author = RoleKey.generate(scheme);
    expect(() => check(authorBundle(author, FILES), orderFor(AUTHOR, author))).not.toThrow();
  });

  it('does not hold by a key that is not theirs', () => {
    expect(() => check(authorBundle(RoleKey.generate(), FILES))).toThrow(invalid);
    expect(() => check(authorBundle(AUTHOR, FILES), orderFor())).toThrow(invalid);
  });

  it.each([
    ['no contract', { ...FILES, 'contract.json': undefined }],
    ['another contract', { ...FILES, 'contract.json': 'e'.repeat(64) }],
    ['the contract under another name', { ...FILES, 'contract.json': undefined, x: SOURCE_SHA256 }],
    ['other weights', { ...FILES, 'weights.onnx': 'e'.repeat(64) }],
    ['no golden vectors', { ...FILES, 'golden.safetensors': undefined }],
  ])('does not hold over %s', (_, files) => {
    expect(() => check(authorBundle(AUTHOR, files))).toThrow(invalid);
  });

  it.each([
    { predicateType: 'https://slsa.dev/provenance/v1' },
    { _type: 'https://in-toto.io/Statement/v0.1' },
    { subject: [{ name: 'digits', digest: { sha256: 'f'.repeat(64) } }] },
    { subject: [] },
  ])('does not hold with %j', (change) => {
    expect(() => check(authorBundle(AUTHOR, FILES, { statement: change }))).toThrow(invalid);
  });

  it('does not hold when a file is named twice', () => {
    const resource = (name: string, digest: string) => ({ name, algorithm: 'sha256', digest });
    const resources = [
      ...Object.entries(FILES).map(([name, digest]) => resource(name, digest)),
      resource('contract.json', 'e'.repeat(64)),
    ];
    const root = createHash('sha256');
    for (const { digest } of resources) root.update(digest, 'hex');
    const statement = {
      subject: [{ name: 'digits', digest: { sha256: root.digest('hex') } }],
      predicate: {
        serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false },
        resources,
      },
    };
    expect(() => check(authorBundle(AUTHOR, FILES, { statement }))).toThrow(invalid);
  });

  it('does not hold when it was made for another kind of payload', () => {
    const bundle = authorBundle(AUTHOR, FILES, { signedType: 'text/plain' });
    expect(() => check(bundle)).toThrow(invalid);
  });

  it.each(['', '{', '{}', 'null', '[]', '{"dsseEnvelope":{}}', '\u0000'])('does not hold as %j', (text) => {
    expect(() => check(Buffer.from(text))).toThrow(invalid);
  });

  it('does not hold with any byte changed', () => {
    const bundle = authorBundle(AUTHOR, FILES);
    for (let index = 0; index < bundle.length; index += 1) {
      const changed = Buffer.from(bundle);
      changed[index] = (changed[index] ?? 0) ^ 1;
      const outcome = outcomeOf(() => check(changed));
      const isUntouched = canonicalEnvelope(changed) === canonicalEnvelope(bundle);
      if (!isUntouched) expect(outcome, `byte ${index}`).toMatchObject({ code: 'signature-invalid' });
    }
  });

  it('is missed where it was not looked up', () => {
    const bundle = authorBundle(AUTHOR, FILES);
    expect(() => check(bundle, { ...orderFor(AUTHOR), authorSignature: null })).toThrow(missing);
    expect(() => check(bundle, { ...orderFor(AUTHOR), sourceSha256: null })).toThrow(missing);
  });
});

function outcomeOf(act: () => void): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

/** What of a bundle is signed or signs; null when there is no such thing. */
function canonicalEnvelope(bundle: Buffer): string | null {
  try {
    const { dsseEnvelope } = JSON.parse(bundle.toString()) as {
      dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string }[] };
    };
    const { payload, payloadType, signatures } = dsseEnvelope;
    const bytes = [payload, ...signatures.map(({ sig }) => sig)].map((text) =>
      Buffer.from(text, 'base64').toString('hex'),
    );
    return JSON.stringify([payloadType, ...bytes]);
  } catch {
    return null;
  }
}
