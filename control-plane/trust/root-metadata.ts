// The root of one repository: which key signs which role. Made on first start, read afterwards.
// Invariant: the private keys at hand are those that the newest root names, or opening fails.

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata, MetadataKind, Root } from '@tufjs/models';
import { HoldfastError } from '#protocol/errors.ts';
import { writeFilesDurably } from './durable-files.ts';
import type { KeyStore, RoleKey } from './key-store.ts';
import { TUF_VERSION, signFile, utcSeconds } from './signed-metadata.ts';
import type { JsonObject } from './signed-metadata.ts';

const ROOT_LIFE_MS = 3652 * 86_400_000;
const ROOT_FILE = /^([1-9][0-9]{0,8})\.root\.json$/;
const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

export type RoleKeys = Readonly<Record<(typeof ROLES)[number], RoleKey>>;

export interface OpenedRoot {
  readonly keys: RoleKeys;
  /** The newest root, which a device is given when it enrols. */
  readonly bytes: Buffer;
}

/** `prefix` names the repository's keys in the store: `image` has `image-root`, `image-targets`, ... */
export async function openRoot(options: {
  directory: string;
  keyStore: KeyStore;
  prefix: string;
  now: () => Date;
}): Promise<OpenedRoot> {
  const { directory, keyStore, prefix } = options;
  const newest = await newestRootName(directory);
  const keyOf = (role: string) =>
    newest === null ? keyStore.ensure(`${prefix}-${role}`) : keyStore.load(`${prefix}-${role}`);
  const keys: RoleKeys = {
    root: await keyOf('root'),
    targets: await keyOf('targets'),
    snapshot: await keyOf('snapshot'),
    timestamp: await keyOf('timestamp'),
  };
  if (newest === null) {
    const bytes = firstRoot(keys, options.now());
    await writeFilesDurably(directory, [{ name: '1.root.json', bytes }]);
    return { keys, bytes };
  }
  const bytes = await readFile(join(directory, newest));
  assertKeysFit(bytes, keys, join(directory, newest));
  return { keys, bytes };
}

async function newestRootName(directory: string): Promise<string | null> {
  const versions = (await readdir(directory))
    .map((name) => ROOT_FILE.exec(name)?.[1])
    .filter((version) => version !== undefined)
    .map(Number);
  return versions.length === 0 ? null : `${Math.max(...versions)}.root.json`;
}

function firstRoot(keys: RoleKeys, now: Date): Buffer {
  const root = new Root({
    version: 1,
    expires: utcSeconds(now.getTime() + ROOT_LIFE_MS),
    specVersion: TUF_VERSION,
    consistentSnapshot: true,
  });
  for (const role of ROLES) root.addKey(keys[role].publicKey, role);
  return signFile(root, keys.root).bytes;
}

function assertKeysFit(bytes: Buffer, keys: RoleKeys, path: string): void {
  const corrupt = (what: string, cause?: unknown) =>
    new HoldfastError('state-corrupt', `${path} ${what}`, {
      hint: 'Restore the trust folder as a whole (keys and metadata) from one backup.',
      cause,
    });
  let root: Metadata<Root>;
  try {
    root = Metadata.fromJSON(MetadataKind.Root, JSON.parse(bytes.toString('utf8')) as JsonObject);
    root.verifyDelegate('root', root);
  } catch (cause) {
    throw corrupt('is not a root that signed itself', cause);
  }
  for (const role of ROLES) {
    if (root.signed.roles[role]?.keyIDs.includes(keys[role].keyId) !== true) {
      throw corrupt(`does not name the ${role} key that is stored here`);
    }
  }
}
