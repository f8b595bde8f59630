// The Director's root: who signs what every device is told, and a root that waits for signatures. Invariants: as of the
// Image repository's roles; devices' own metadata is signed by the control plane alone.

import { HoldfastError } from '#protocol/errors.ts';
import type { TrustOutcome, TrustSignature } from '#protocol/trust.ts';
import type { RootDocument } from './documents.ts';
import {
  isRootSigned,
  nextVersion,
  signHeld,
  type Edits,
  type RolesState,
  type Staged,
} from './image-plan.ts';
import type { ImageDocuments, ImageRolesOptions } from './image-roles.ts';
import { HeldKeys } from './keys/held-keys.ts';
import type { RoleKey } from './keys/role-key.ts';
import { keyIdsNamed, retiredKeyIds, without } from './named-keys.ts';
import { assertHeld, newestRoot, openRootChain, writeRoot, type RootFile } from './root-chain.ts';
import { SerialQueue } from './serial-queue.ts';
import { signedFile } from './signatures.ts';
import { StagedFiles } from './staged-files.ts';

export class DirectorRoles {
  readonly #options: ImageRolesOptions;
  readonly #queue = new SerialQueue();
  readonly #roots: RootFile[];
  readonly #staged: StagedFiles;
  readonly held: HeldKeys;
  /** Signs every device's metadata anew after keys were replaced. */
  onRoot: () => Promise<unknown> = () => Promise.resolve();

  private constructor(
    options: ImageRolesOptions,
    parts: { roots: RootFile[]; staged: StagedFiles; held: HeldKeys },
  ) {
    this.#options = options;
    this.#roots = parts.roots;
    this.#staged = parts.staged;
    this.held = parts.held;
  }

  /** Errors: `state-corrupt`, `bad-config`, `disk-full`. */
  static async open(options: ImageRolesOptions): Promise<DirectorRoles> {
    const { directory, keyStore, now } = options;
    const held = await HeldKeys.open(keyStore, 'director');
    const roots = await openRootChain(directory, held, now());
    const staged = await StagedFiles.open(directory, () => newestRoot(roots).signed.version);
    const roles = new DirectorRoles(options, { roots, staged, held });
    assertHeld(roles.state.root.signed, held, ['targets', 'snapshot', 'timestamp']);
    await roles.#queue.run(() => roles.#carryOut());
    await held.retire(await retiredKeyIds(directory, roots, roles.state));
    return roles;
  }

  get state(): RolesState {
    return { root: newestRoot(this.#roots), published: new Map(), staged: this.#staged.entries };
  }

  /** Every root so far, the newest last. */
  get roots(): RootDocument[] {
    return this.#roots.map(({ signed }) => signed);
  }

  edit(
    change: (documents: ImageDocuments) => Edits,
    newKeys: readonly { readonly role: string; readonly key: RoleKey }[] = [],
  ): Promise<TrustOutcome> {
    return this.#queue.run(async () => {
      const { state } = this;
      const waiting = state.staged.get('root')?.signed;
      const root = waiting?._type === 'root' ? waiting : state.root.signed;
      const edited = change({ root, roles: new Map() }).get('root');
      if (edited === undefined) return { published: [], staged: [] };
      for (const { role, key } of newKeys) await this.held.keep(role, key);
      return await this.#carryOut(nextVersion(state, 'root', edited, this.#options.now().getTime()));
    });
  }

  addSignature(role: string, check: (state: RolesState) => TrustSignature): Promise<TrustOutcome> {
    return this.#queue.run(async () => {
      const { state } = this;
      const signature = check(state);
      const entry = state.staged.get(role);
      if (entry === undefined) throw new HoldfastError('not-found', `no ${role} waits for signatures`);
      return await this.#carryOut({ ...entry, signatures: [...entry.signatures, signature] });
    });
  }

  withdraw(role: string): Promise<TrustOutcome> {
    return this.#queue.run(async () => {
      if (!this.state.staged.has(role))
        throw new HoldfastError('not-found', `no ${role} waits for signatures`);
      const named = keyIdsNamed(this.state);
      await this.#staged.keepOnly(new Map());
      await this.held.retire(without(named, keyIdsNamed(this.state)));
      return { published: [], staged: [] };
    });
  }

  /** Publishes the root that waits, as it is or as it is given, when it has enough signatures. */
  async #carryOut(changed?: Staged): Promise<TrustOutcome> {
    const { state } = this;
    const entry = changed ?? state.staged.get('root');
    const waiting = new Map(entry === undefined ? [] : [['root', entry]]);
    if (entry?.signed._type === 'root') signHeld(state, waiting, entry.signed, this.held);
    const ready = waiting.get('root');
    if (ready === undefined || !isRootSigned(state.root.signed, ready)) {
      await this.#staged.add(waiting);
      return { published: [], staged: [...waiting.keys()] };
    }
    const root = signedFile(ready.signed as RootDocument, ready.signatures);
    const named = keyIdsNamed(state);
    await writeRoot(this.#options.directory, root);
    this.#roots.push(root);
    await this.#staged.keepOnly(new Map());
    await this.held.retire(without(named, keyIdsNamed(this.state)));
    await this.onRoot();
    return { published: ['root'], staged: [] };
  }
}
