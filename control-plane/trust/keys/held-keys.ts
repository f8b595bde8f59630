// The private keys of one repository that the control plane holds, found by key id: which of them sign a role follows
// from metadata alone. Invariant: a key is on disk before anything names it, and leaves only once nothing does.

import type { Repository, TrustKey, TrustSignature } from '#protocol/trust.ts';
import type { KeyStore } from './key-store.ts';
import type { RoleKey } from './role-key.ts';

export class HeldKeys {
  readonly #store: KeyStore;
  readonly repository: Repository;
  readonly #keys = new Map<string, { readonly name: string; readonly key: RoleKey }>();

  private constructor(store: KeyStore, repository: Repository) {
    this.#store = store;
    this.repository = repository;
  }

  /** Reads every key of the repository. Errors: as KeyStore.find. */
  static async open(store: KeyStore, repository: Repository): Promise<HeldKeys> {
    const held = new HeldKeys(store, repository);
    for (const name of await store.names(`${repository}-`)) {
      const key = await store.load(name);
      held.#keys.set(key.keyId, { name, key });
    }
    return held;
  }

  has(keyId: string): boolean {
    return this.#keys.has(keyId);
  }

  /** The first of these keys that is held. */
  find(keys: readonly TrustKey[]): RoleKey | undefined {
    return keys.map(({ keyId }) => this.#keys.get(keyId)?.key).find((key) => key !== undefined);
  }

  /** Signatures by all of these keys that are held. */
  sign(keys: readonly TrustKey[], bytes: Uint8Array): TrustSignature[] {
    const held = keys.map(({ keyId }) => this.#keys.get(keyId)?.key).filter((key) => key !== undefined);
    return held.map((key) => ({ keyid: key.keyId, sig: key.sign(bytes).sig }));
  }

  /** The first key of a role, under the role's own name; the one that was made before when a start was cut off. */
  async first(role: string): Promise<RoleKey> {
    const name = `${this.repository}-${role}`;
    const key = await this.#store.ensure(name);
    this.#keys.set(key.keyId, { name, key });
    return key;
  }

  /** Resolves once the key is on disk. */
  async keep(role: string, key: RoleKey): Promise<void> {
    const name = `${this.repository}-${role}-${key.keyId.slice(0, 16)}`;
    await this.#store.write(name, key);
    this.#keys.set(key.keyId, { name, key });
  }

  /** Deletes those of these keys that are held. */
  async retire(keyIds: Iterable<string>): Promise<void> {
    for (const keyId of keyIds) {
      const held = this.#keys.get(keyId);
      if (held === undefined) continue;
      await this.#store.remove(held.name);
      this.#keys.delete(keyId);
    }
  }
}
