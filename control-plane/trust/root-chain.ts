// The roots of one repository, `1.root.json` and on: each is signed by enough keys of the one before and of its own,
// so that a client that has any of them comes to the newest. Source: TUF 1.0.33, sections 5.3.4 and 6.1.

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import {
  ROOT_ROLES,
  TUF_VERSION,
  authorityOf,
  listedKey,
  readSigned,
  utcSeconds,
  type RootDocument,
  type RootRole,
  type SignedFile,
} from './documents.ts';
import { writeFilesDurably } from './durable-files.ts';
import type { HeldKeys } from './keys/held-keys.ts';
import { bytesToSign, isEnough, rightSignatures, signedFile } from './signatures.ts';

const DAY_MS = 86_400_000;
export const ROOT_LIFE_MS = 3_652 * DAY_MS;
const ROOT_FILE = /^([1-9][0-9]{0,8})\.root\.json$/;

export type RootFile = SignedFile<RootDocument>;

/** Oldest first; on first start the first one is made, with a key of the control plane for every role. */
export async function openRootChain(directory: string, held: HeldKeys, now: Date): Promise<RootFile[]> {
  const versions = (await readdir(directory))
    .map((name) => Number(ROOT_FILE.exec(name)?.[1] ?? 0))
    .filter((version) => version > 0)
    .toSorted((a, b) => a - b);
  if (versions.length > 0) return await readChain(directory, versions);
  const root = await firstRoot(held, now);
  await writeRoot(directory, root);
  return [root];
}

export function newestRoot(chain: readonly RootFile[]): RootFile {
  const root = chain.at(-1);
  if (root === undefined) throw new HoldfastError('internal', 'a repository has no root');
  return root;
}

export async function writeRoot(directory: string, root: RootFile): Promise<void> {
  await writeFilesDurably(directory, [{ name: `${root.signed.version}.root.json`, bytes: root.bytes }]);
}

async function readChain(directory: string, versions: readonly number[]): Promise<RootFile[]> {
  const chain: RootFile[] = [];
  for (const version of versions) {
    const path = join(directory, `${version}.root.json`);
    try {
      const root = readSigned('root', await readFile(path));
      assertFollows(chain.at(-1)?.signed, root, version);
      chain.push(root);
    } catch (cause) {
      throw new HoldfastError('state-corrupt', `${path} is no root that follows from those before it`, {
        hint: 'Restore the trust folder as a whole (keys and metadata) from one backup.',
        cause,
      });
    }
  }
  return chain;
}

function assertFollows(before: RootDocument | undefined, root: RootFile, version: number): void {
  const { signed, signatures } = root;
  if (signed.version !== version) throw new TypeError(`it says that it is version ${signed.version}`);
  if (before !== undefined && before.version !== version - 1) throw new TypeError('one before it is missing');
  const repository = before?.holdfast?.repository;
  if (repository !== undefined && signed.holdfast?.repository !== repository)
    throw new TypeError(`it is no root of the ${repository} repository`);
  const authorities = [authorityOf(signed, 'root'), ...(before ? [authorityOf(before, 'root')] : [])];
  const right = rightSignatures(authorities, bytesToSign(signed), signatures);
  if (!authorities.every((authority) => isEnough(authority, right)))
    throw new TypeError('it lacks signatures');
}

async function firstRoot(held: HeldKeys, now: Date): Promise<RootFile> {
  const keys: RootDocument['keys'] = {};
  const idOf = async (role: RootRole) => {
    const key = await held.first(role);
    keys[key.keyId] = listedKey(key.trustKey);
    return { keyids: [key.keyId], threshold: 1 };
  };
  const [root, targets, snapshot, timestamp] = [
    await idOf('root'),
    await idOf('targets'),
    await idOf('snapshot'),
    await idOf('timestamp'),
  ];
  const signed: RootDocument = {
    _type: 'root',
    spec_version: TUF_VERSION,
    version: 1,
    expires: utcSeconds(now.getTime() + ROOT_LIFE_MS),
    consistent_snapshot: true,
    keys,
    roles: { root, targets, snapshot, timestamp },
    holdfast: { repository: held.repository },
  };
  const signers = authorityOf(signed, 'root')?.keys ?? [];
  return signedFile(signed, held.sign(signers, bytesToSign(signed)));
}

/** Errors: `state-corrupt` when the control plane has not the keys that it must sign with every day. */
export function assertHeld(root: RootDocument, held: HeldKeys, roles: readonly RootRole[]): void {
  for (const role of ROOT_ROLES.filter((name) => roles.includes(name))) {
    if (held.find(authorityOf(root, role)?.keys ?? []) !== undefined) continue;
    throw new HoldfastError('state-corrupt', `the root does not name a ${role} key that is stored here`, {
      hint: 'Restore the trust folder as a whole (keys and metadata) from one backup.',
    });
  }
}
