// Signs the files of a folder with a key of this machine; no control plane takes part.

import { writeFile } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';
import { signFolder, type FolderRequest } from '../../../trust/offline/model-signature.ts';
import { keyIdOf } from '../../../trust/offline/model-signature-key.ts';
import type { LocalContext, Surroundings } from '../../context.ts';
import { openKeyFile, type KeyRequest } from './author-signature.ts';

export async function signLocalFiles(
  { out, signal }: LocalContext,
  surroundings: Surroundings,
  request: FolderRequest,
  key: KeyRequest,
): Promise<void> {
  const { folder, signaturePath } = request;
  const privateKey = await openKeyFile(surroundings, key);
  const bundle = await signFolder({ ...request, signal }, privateKey);
  try {
    await writeFile(signaturePath, `${JSON.stringify(bundle)}\n`);
  } catch (cause) {
    throw new HoldfastError('bad-request', `cannot write ${signaturePath}`, {
      hint: 'check the path and your rights on it',
      cause,
    });
  }
  const keyId = keyIdOf(privateKey);
  out.answer({ signature: signaturePath, keyId }, () => [
    `${signaturePath}: all files of ${folder}, signed with key ${keyId.slice(0, 12)}`,
  ]);
}
