// An author's signature of a version, made on her machine from what the control plane says the version is.

import type { KeyObject } from 'node:crypto';
import { modelVersionSchema } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import {
  contractSha256Of,
  signVersion,
  type SignedByAuthor,
} from '../../../trust/offline/model-signature-version.ts';
import { readPrivateKey } from '../../../trust/offline/key-input.ts';
import type { CommandContext, Surroundings } from '../../context.ts';
import { readPassphrase } from '../../passphrase.ts';

export interface KeyRequest {
  readonly path: string;
  readonly passphraseFile: string | undefined;
}

export function openKeyFile(
  surroundings: Surroundings,
  { path, passphraseFile }: KeyRequest,
): Promise<KeyObject> {
  return readPrivateKey(path, () => readPassphrase(surroundings, { file: passphraseFile, what: path }));
}

/** Asks the control plane for the parents' weights, which the contract names by number alone. */
export async function signContract(
  { api }: CommandContext,
  contract: ModelContract,
  privateKey: KeyObject,
): Promise<SignedByAuthor> {
  const { model, lineage } = contract;
  const parents = new Map<number, string>();
  for (const parent of lineage.parents) {
    const version = await api.get(`/models/${model}/versions/${parent}`, modelVersionSchema.loose());
    if (contractSha256Of(version.contract) !== version.contractSha256) throw changed(model, parent);
    parents.set(parent, version.contract.weights.sha256);
  }
  return signVersion({ contract, contractSha256: contractSha256Of(contract), parents }, privateKey);
}

export function changed(model: string, version: number): HoldfastError {
  return new HoldfastError(
    'digest-mismatch',
    `the contract of ${model} ${version} is not the one it is known by`,
    {
      hint: 'do not sign it; the control plane answered with another contract than it has',
    },
  );
}
