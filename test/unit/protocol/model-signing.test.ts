import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { IN_TOTO_PAYLOAD_TYPE, preAuthenticationEncoding } from '#protocol/dsse.ts';
import { BUNDLE_MEDIA_TYPE, verifyModelSignature, type BundleKey } from '#protocol/model-signing.ts';
import { modelStatement } from '#protocol/signed-files.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const KEY: BundleKey = {
  hint: 'the-key',
  verify: (bytes, signature) => verify(null, bytes, publicKey, signature),
};
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const DIGEST = 'a'.repeat(64);

interface Statement {
  _type: string;
  predicateType: string;
  subject: { digest: { sha256: string } }[];
  predicate: {
    serialization: Record<string, unknown>;
    resources: { name: string; algorithm: string; digest: string }[];
  };
}

function statement(files: Record<string, string> = { 'weights.onnx': DIGEST }): Statement {
  const signed = { name: 'model', files: new Map(Object.entries(files)), ignoredPaths: ['.git'] };
  return modelStatement(signed, sha256) as Statement;
}

function bundle(payload: unknown, payloadType = IN_TOTO_PAYLOAD_TYPE) {
  const bytes = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
  const sig = sign(null, preAuthenticationEncoding(payloadType, bytes), privateKey).toString('base64');
  return {
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: { publicKey: { hint: 'the-key' }, tlogEntries: [] } as Record<string, unknown>,
    dsseEnvelope: { payload: bytes.toString('base64'), payloadType, signatures: [{ sig, keyid: '' }] },
  };
}

const refusal = (value: unknown): string => {
  try {
    verifyModelSignature(value, [KEY], sha256);
  } catch (error) {
    expect(error).toMatchObject({ code: 'signature-invalid' });
    return (error as Error).message;
  }
  return 'accepted';
};

const changed = (change: (statement: Statement) => void): string => {
  const value = statement();
  change(value);
  return refusal(bundle(value));
};

describe('a model signature', () => {
  it('is read once it verifies', () => {
    const { name, files, ignoredPaths } = verifyModelSignature(bundle(statement()), [KEY], sha256);
    expect([name, Object.fromEntries(files), ignoredPaths]).toEqual([
      'model',
      { 'weights.onnx': DIGEST },
      ['.git'],
    ]);
  });

  it('without a hint is tried with every key', () => {
    const value = { ...bundle(statement()), verificationMaterial: { publicKey: {} } };
    expect(refusal(value)).toBe('accepted');
  });

  it('is over type and length of the payload too', () => {
    const encoded = preAuthenticationEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
    expect(Buffer.from(encoded).toString()).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  });
});

describe('a bundle is refused', () => {
  it('of another media type, or with a certificate', () => {
    expect(refusal({ ...bundle(statement()), mediaType: 'application/json' })).toContain('another kind');
    const certificate = { certificate: { rawBytes: 'AAAA' } };
    expect(refusal({ ...bundle(statement()), verificationMaterial: certificate })).toContain('certificate');
    expect(refusal({})).toContain('no Sigstore bundle');
  });

  it('with another payload type, which the signature covers', () => {
    expect(refusal(bundle(statement(), 'text/plain'))).toContain('text/plain');
    const relabelled = bundle(statement(), 'text/plain');
    relabelled.dsseEnvelope.payloadType = IN_TOTO_PAYLOAD_TYPE;
    expect(refusal(relabelled)).toContain('does not fit the key');
  });

  it('with no signature or several', () => {
    const value = bundle(statement());
    const [one] = value.dsseEnvelope.signatures;
    const withSignatures = (signatures: unknown[]) => ({
      ...value,
      dsseEnvelope: { ...value.dsseEnvelope, signatures },
    });
    expect(refusal(withSignatures([]))).toContain('no signature');
    expect(refusal(withSignatures([one, one]))).toContain('several');
  });

  it('with a payload that was changed after signing', () => {
    const value = bundle(statement());
    const other = JSON.stringify(statement({ 'weights.onnx': 'b'.repeat(64) }));
    value.dsseEnvelope.payload = Buffer.from(other).toString('base64');
    expect(refusal(value)).toContain('does not fit the key');
  });

  it('signed by another key, whatever it says of itself', () => {
    const value = bundle(statement());
    const other: BundleKey = { hint: 'the-key', verify: () => false };
    expect(() => verifyModelSignature(value, [other], sha256)).toThrow('does not fit the key');
    expect(() => verifyModelSignature(value, [{ ...KEY, hint: 'other' }], sha256)).toThrow('another key');
  });
});

describe('a signed statement is refused', () => {
  it('of another kind', () => {
    expect(changed((value) => (value._type = 'https://in-toto.io/Statement/v0.1'))).toContain('in-toto');
    const otherPredicate = 'https://model_signing/Digests/v0.1';
    expect(changed((value) => (value.predicateType = otherPredicate))).toContain(otherPredicate);
    expect(refusal(bundle('{'))).toContain('not JSON');
    expect(refusal(bundle('"text"'))).toContain('no in-toto statement');
  });

  it('serialised in a way that is not known', () => {
    for (const [field, wrong] of [
      ['method', 'shards'],
      ['hash_type', 'blake2b'],
      ['allow_symlinks', true],
      ['ignore_paths', ['../elsewhere']],
      ['ignore_paths', ['.']],
    ] as const) {
      const said = changed((value) => (value.predicate.serialization[field] = wrong));
      expect(said, field).toContain('cannot be used');
    }
  });

  it.each(['../weights.onnx', '/etc/passwd', 'a/../b', './a', 'a//b', '', 'a\0b'])(
    'that names the path %j',
    (name) => {
      expect(refusal(bundle(statement({ [name]: DIGEST })))).toContain('cannot be used');
    },
  );

  it('that names a file twice, or none', () => {
    const twice = statement({ a: DIGEST, b: DIGEST });
    for (const resource of twice.predicate.resources) resource.name = 'a';
    expect(refusal(bundle(twice))).toContain('twice');
    expect(refusal(bundle(statement({})))).toContain('cannot be used');
  });

  it('whose digest is not that of its files', () => {
    expect(changed((value) => (value.subject[0] = { digest: { sha256: DIGEST } }))).not.toBe('accepted');
    const said = changed((value) => {
      value.predicate.resources[0] = { name: 'weights.onnx', algorithm: 'sha256', digest: 'b'.repeat(64) };
    });
    expect(said).toContain('contradicts itself');
  });
});
