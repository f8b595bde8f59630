// What an author signs of a version with her own key: its files, and where it comes from.

import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { canonicalJson } from '#protocol/canonical-json.ts';
import type { DsseEnvelope } from '#protocol/dsse.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { versionFiles, type ModelSignature, type SignedVersion } from '#protocol/model-signing.ts';
import { versionStatement } from '#protocol/provenance.ts';
import { assertSignedFiles } from '#protocol/signed-files.ts';
import { signFiles } from './model-signature.ts';
import { hashFolder } from './model-signature-files.ts';
import { signEnvelope } from './provenance-envelope.ts';

export interface SignedByAuthor {
  readonly signature: ModelSignature;
  readonly provenance: DsseEnvelope;
}

/** `parents` are weights by version number. Errors: `key-invalid` for another kind of key. */
export function signVersion(
  version: SignedVersion & { readonly parents: ReadonlyMap<number, string> },
  privateKey: KeyObject,
): SignedByAuthor {
  const { model } = version.contract;
  const statement = canonicalJson(versionStatement(version, 'author'));
  return {
    signature: signFiles({ name: model, files: versionFiles(version), ignoredPaths: [] }, privateKey),
    provenance: signEnvelope(Buffer.from(statement), privateKey),
  };
}

/** The digest that stands for a contract. */
export function contractSha256Of(contract: ModelContract): string {
  return createHash('sha256').update(canonicalJson(contract)).digest('hex');
}

/** Throws `signature-invalid` when the author's own files are not those of the version. */
export async function assertAuthorsFiles(
  folder: string,
  version: SignedVersion,
  readContract: () => Promise<ModelContract>,
): Promise<void> {
  const found = new Map(await hashFolder(folder, []));
  // The contract counts as what it says, however it is written.
  if (found.has('contract.json')) found.set('contract.json', contractSha256Of(await readContract()));
  try {
    assertSignedFiles({ name: '', files: versionFiles(version), ignoredPaths: [] }, found);
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    throw new HoldfastError(
      'signature-invalid',
      `${folder} is not the version that is to be signed: ${cause.message}`,
      {
        hint: 'it must hold contract.json, weights.onnx and golden.safetensors of that version, and nothing else',
        cause,
      },
    );
  }
}
