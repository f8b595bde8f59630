// Releases a version that the control plane has: with its own keys, or with an author's, which sign the version, hand
// the signature over, and sign the role that waits for it.

import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { modelVersionDetailSchema, modelVersionSchema, type ModelVersion } from '#protocol/api.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { errorCodeOf } from '#protocol/errors.ts';
import { provenanceSchema } from '#protocol/provenance.ts';
import { stagedRoleSchema, trustOutcomeSchema } from '#protocol/trust.ts';
import { signStagedSource } from '../../../trust/offline/model-signature-staged.ts';
import { assertAuthorsFiles, contractSha256Of } from '../../../trust/offline/model-signature-version.ts';
import type { CommandContext, Surroundings } from '../../context.ts';
import { modelVersionLines } from '../../model-lines.ts';
import { changed, openKeyFile, signContract, type KeyRequest } from './author-signature.ts';
import { readContract } from './read-contract.ts';

export interface VersionRequest {
  readonly model: string;
  readonly version: number;
  /** The author's own files, to hold against what the version says; null to believe its contract. */
  readonly folder: string | null;
}

export async function signModelVersion(
  context: CommandContext,
  surroundings: Surroundings,
  request: VersionRequest,
  key: KeyRequest | null,
): Promise<void> {
  const { api, out } = context;
  const path = `/models/${encodeURIComponent(request.model)}/versions/${request.version}`;
  const release = () => api.post(`${path}/sign`, { body: {}, answer: modelVersionSchema });
  if (key === null) return answer(await release());
  const version = await api.get(path, modelVersionDetailSchema);
  const { model, version: number, contract, contractSha256 } = version;
  if (contractSha256Of(contract) !== contractSha256) throw changed(model, number);
  if (request.folder !== null) {
    const file = join(request.folder, 'contract.json');
    await assertAuthorsFiles(request.folder, version, () => readContract(file));
  }
  const privateKey = await openKeyFile(surroundings, key);
  const { authors, signature: present } = await api.get(`${path}/provenance`, provenanceSchema);
  let signatureSha256 = present?.sha256 ?? '';
  if (present?.verified !== true) {
    const signed = await signContract(context, contract, privateKey);
    await api.post(`${path}/signature`, { body: signed, answer: modelVersionSchema });
    signatureSha256 = createHash('sha256').update(canonicalJson(signed.signature)).digest('hex');
  }
  try {
    return answer(await release());
  } catch (error) {
    if (errorCodeOf(error) !== 'signature-missing') throw error;
  }
  await signRole(
    context,
    authors.role,
    { model, version: number, contractSha256, signatureSha256 },
    privateKey,
  );
  answer(await release());

  function answer(done: ModelVersion): void {
    out.answer(done, () => modelVersionLines(done));
  }
}

async function signRole(
  { api, out }: CommandContext,
  role: string,
  source: Parameters<typeof signStagedSource>[1],
  privateKey: KeyObject,
): Promise<void> {
  const path = `/trust/image/${encodeURIComponent(role)}`;
  const staged = await api.get(`${path}/staged`, stagedRoleSchema);
  const signature = signStagedSource(staged, source, privateKey);
  await api.post(`${path}/signatures`, { body: signature, answer: trustOutcomeSchema });
  out.aside(`signed ${role} version ${staged.version} with key ${signature.keyid.slice(0, 12)}`);
}
