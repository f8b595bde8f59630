// The private keys that the control plane holds, in one directory (0700, files 0600): sealed key files when it was
// given a passphrase, else PKCS#8 PEM. Invariant: a key that signed something is never made anew; `load` fails where
// `ensure` would have hidden a loss.

import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import {
  makeDirectoryDurably,
  readFileIfPresent,
  syncDirectory,
  writeFilesDurably,
} from '../durable-files.ts';
import { Passphrase, isKeyFile, openKey, sealKey } from './key-file.ts';
import { RoleKey } from './role-key.ts';

const KEY_NAME = /^[a-z][a-z0-9-]{0,90}$/;
const SUFFIX = '.pem';

export class KeyStore {
  readonly #directory: string;
  readonly #passphrase: Passphrase | null;

  private constructor(directory: string, passphrase: string | null) {
    this.#directory = directory;
    this.#passphrase = passphrase === null ? null : new Passphrase(passphrase);
  }

  /** With a passphrase, keys that lie open are sealed when they are next read. */
  static async open(directory: string, passphrase: string | null = null): Promise<KeyStore> {
    await makeDirectoryDurably(directory, 0o700);
    return new KeyStore(directory, passphrase);
  }

  get isEncrypted(): boolean {
    return this.#passphrase !== null;
  }

  /** Names of the keys that begin so, in order. */
  async names(prefix: string): Promise<string[]> {
    const files = (await readdir(this.#directory)).filter((file) => file.endsWith(SUFFIX));
    const names = files.map((file) => file.slice(0, -SUFFIX.length));
    return names.filter((name) => name.startsWith(prefix) && KEY_NAME.test(name)).toSorted();
  }

  /** The key of that name, made and on disk when there was none. */
  async ensure(name: string): Promise<RoleKey> {
    const stored = await this.find(name);
    if (stored !== null) return stored;
    const key = RoleKey.generate();
    await this.write(name, key);
    return key;
  }

  /** Throws `state-corrupt` when there is no such key. */
  async load(name: string): Promise<RoleKey> {
    const stored = await this.find(name);
    if (stored !== null) return stored;
    throw new HoldfastError('state-corrupt', `the signing key ${name} is missing`, {
      hint: `Restore ${name}.pem from a backup: devices trust only that key.`,
    });
  }

  /** Null when there is none. Errors: `state-corrupt`, `bad-config`, `passphrase-wrong`. */
  async find(name: string): Promise<RoleKey | null> {
    const path = this.#pathOf(name);
    const bytes = await readFileIfPresent(path);
    if (bytes === null) return null;
    if (((await stat(path)).mode & 0o077) !== 0) {
      throw new HoldfastError('bad-config', `others may read the signing key ${name}`, {
        hint: `chmod 600 ${path}, and rotate the key if others had access.`,
      });
    }
    const text = bytes.toString('utf8');
    const key = new RoleKey(await this.#read(name, text));
    if (this.isEncrypted && !isKeyFile(text)) await this.write(name, key);
    return key;
  }

  /** Puts a key in the place of that name. Resolves once it is on disk. */
  async write(name: string, { privateKey }: RoleKey): Promise<void> {
    this.#pathOf(name);
    const bytes =
      this.#passphrase === null
        ? privateKey.export({ type: 'pkcs8', format: 'pem' })
        : await sealKey(privateKey, this.#passphrase);
    await writeFilesDurably(this.#directory, [{ name: name + SUFFIX, bytes }], 0o600);
  }

  async remove(name: string): Promise<void> {
    await rm(this.#pathOf(name), { force: true });
    await syncDirectory(this.#directory);
  }

  #pathOf(name: string): string {
    if (!KEY_NAME.test(name)) throw new HoldfastError('internal', `${name} is no key name`);
    return join(this.#directory, name + SUFFIX);
  }

  async #read(name: string, text: string): Promise<KeyObject> {
    if (isKeyFile(text)) {
      if (this.#passphrase !== null) return await openKey(text, this.#passphrase);
      throw new HoldfastError('bad-config', `the signing key ${name} is sealed and no passphrase was given`, {
        hint: 'Set HOLDFAST_TRUST_PASSPHRASE_FILE to a file that holds it.',
      });
    }
    try {
      return createPrivateKey(text);
    } catch (cause) {
      throw new HoldfastError('state-corrupt', `the signing key ${name} cannot be read`, {
        hint: `Restore ${name}.pem from a backup.`,
        cause,
      });
    }
  }
}
