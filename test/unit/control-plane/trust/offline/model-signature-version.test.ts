import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { trustKeyOf } from '#control-plane/trust/keys/role-key.ts';
import { verifyBundle } from '#control-plane/trust/offline/model-signature.ts';
import {
  assertAuthorsFiles,
  contractSha256Of,
  signVersion,
} from '#control-plane/trust/offline/model-signature-version.ts';
import { verifyEnvelope } from '#control-plane/trust/offline/provenance-envelope.ts';
import { versionFiles } from '#protocol/model-signing.ts';
import { versionStatement } from '#protocol/provenance.ts';
import { digits } from '../../registry/registry-world.ts';
import { folderOf, type SignedFolder } from './signed-folder.ts';

async function version() {
  const { contract, weights, golden } = await digits();
  return {
    contract,
    weights,
    golden,
    contractSha256: contractSha256Of(contract),
    parents: new Map<number, string>(),
  };
}

async function authorsFolder(): Promise<SignedFolder> {
  const { contract, weights, golden } = await digits();
  // Written as people write it; the version is known by its canonical form.
  const files = { 'contract.json': JSON.stringify(contract, null, 2), 'weights.onnx': weights };
  return folderOf({ ...files, 'golden.safetensors': golden });
}

describe('a signed version', () => {
  it.each(['ec', 'ed25519'])('carries files and provenance by one key of kind %s', async (kind) => {
    const { privateKey } =
      kind === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
        : generateKeyPairSync('ed25519');
    const key = trustKeyOf(createPublicKey(privateKey));
    const source = await version();
    const { signature, provenance } = signVersion(source, privateKey);
    expect(verifyBundle(signature, [key]).files).toEqual(versionFiles(source));
    expect(verifyEnvelope(provenance, [key])).toEqual({ key, statement: versionStatement(source, 'author') });
    const other = trustKeyOf(generateKeyPairSync('ed25519').publicKey);
    expect(() => verifyEnvelope(provenance, [other])).toThrow('may not sign');
    expect(() => verifyEnvelope(provenance, [{ ...other, keyId: key.keyId }])).toThrow();
    const doubled = { ...provenance, signatures: [...provenance.signatures, ...provenance.signatures] };
    expect(() => verifyEnvelope(doubled, [key])).toThrow('2 signatures');
  });
});

describe("the author's own files", () => {
  it('are those of the version, however its contract is written', async () => {
    await using folder = await authorsFolder();
    const source = await version();
    await assertAuthorsFiles(folder.folder, source, () => Promise.resolve(source.contract));
  });

  it('are refused when they are others, or more', async () => {
    const source = await version();
    for (const name of ['weights.onnx', 'extra.txt']) {
      await using folder = await authorsFolder();
      await writeFile(folder.path(name), 'other');
      const checked = assertAuthorsFiles(folder.folder, source, () => Promise.resolve(source.contract));
      await expect(checked).rejects.toMatchObject({
        code: 'signature-invalid',
        message: expect.stringContaining(name) as string,
      });
    }
    await using folder = await authorsFolder();
    const other = { ...source.contract, labels: [] };
    const checked = assertAuthorsFiles(folder.folder, source, () => Promise.resolve(other));
    await expect(checked).rejects.toThrow('contract.json was changed');
  });
});
