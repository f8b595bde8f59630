// Signs the files of a model and verifies such signatures, with keys of people. ECDSA P-256 signatures are those of
// other implementations too; Ed25519 is Holdfast's own addition. Source: OpenSSF Model Signing v1.0.

import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { BUNDLE_MEDIA_TYPE, verifyModelSignature } from '#protocol/model-signing.ts';
import type { ModelSignature } from '#protocol/model-signing.ts';
import { assertSignedFiles, modelStatement } from '#protocol/signed-files.ts';
import type { SignedFiles } from '#protocol/signed-files.ts';
import type { TrustKey } from '#protocol/trust.ts';
import { hashFolder } from './model-signature-files.ts';
import { bundleKeyOf, hintOf } from './model-signature-key.ts';
import { signEnvelope } from './provenance-envelope.ts';

/** What belongs to a repository of sources and not to the model; the reference leaves out the same. */
const GIT_PATHS = ['.git', '.gitattributes', '.github', '.gitignore'];
const MAX_BUNDLE_BYTES = 8 * 1024 ** 2;

export interface FolderRequest {
  readonly folder: string;
  /** Where the signature lies, or will; it is not part of what is signed. */
  readonly signaturePath: string;
  readonly signal?: AbortSignal;
}

/** Signs all files of a folder. Errors: `signature-invalid` for links and special files, `bad-request`, `key-invalid`. */
export async function signFolder(request: FolderRequest, privateKey: KeyObject): Promise<ModelSignature> {
  const ignoredPaths = [...GIT_PATHS, ...ownPath(request)];
  const files = await hashFolder(request.folder, ignoredPaths, request.signal);
  return signFiles({ name: basename(resolve(request.folder)), files, ignoredPaths }, privateKey);
}

/** Answers what was signed. Errors: `signature-invalid`, saying what is wrong; `bad-request` for what cannot be read. */
export async function verifyFolder(request: FolderRequest, keys: readonly TrustKey[]): Promise<SignedFiles> {
  const signed = verifyBundle(await readBundle(request.signaturePath), keys);
  const ignored = [...signed.ignoredPaths, ...ownPath(request)];
  assertSignedFiles(signed, await hashFolder(request.folder, ignored, request.signal));
  return signed;
}

/** Signs files whose digests are known. Errors: `key-invalid` for another kind of key. */
export function signFiles(signed: SignedFiles, privateKey: KeyObject): ModelSignature {
  const payload = Buffer.from(JSON.stringify(modelStatement(signed, sha256)));
  return {
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: {
      publicKey: { hint: hintOf(privateKey) },
      tlogEntries: [],
    },
    dsseEnvelope: signEnvelope(payload, privateKey, ''),
  };
}

/** What a bundle says that one of the keys signed. Errors: `signature-invalid`. */
export function verifyBundle(bundle: unknown, keys: readonly TrustKey[]): SignedFiles {
  return verifyModelSignature(bundle, keys.map(bundleKeyOf), sha256);
}

/** Reads a bundle from a file. Errors: `bad-request`, `signature-invalid` for what is not JSON or too long. */
export async function readBundle(path: string): Promise<unknown> {
  const buffer = Buffer.alloc(MAX_BUNDLE_BYTES + 1);
  let length = 0;
  try {
    await using handle = await open(path);
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = (await handle.read(buffer, length, buffer.length - length)).bytesRead;
    }
  } catch (cause) {
    throw new HoldfastError('bad-request', `cannot read the signature ${path}`, {
      hint: 'check the path and your rights on it',
      cause,
    });
  }
  try {
    if (length <= MAX_BUNDLE_BYTES) return JSON.parse(buffer.toString('utf8', 0, length));
  } catch (cause) {
    throw new HoldfastError('signature-invalid', `the model signature ${path} is not JSON`, { cause });
  }
  throw new HoldfastError(
    'signature-invalid',
    `the model signature ${path} is longer than ${MAX_BUNDLE_BYTES} bytes`,
  );
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The signature's own path in the folder; none when it lies elsewhere. */
function ownPath({ folder, signaturePath }: FolderRequest): string[] {
  const path = relative(resolve(folder), resolve(signaturePath));
  return path === '' || path.split(sep)[0] === '..' || isAbsolute(path) ? [] : [path.split(sep).join('/')];
}
