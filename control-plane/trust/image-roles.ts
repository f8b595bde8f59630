// The roles of the Image repository: who signs what, what is published and what waits for signatures. Invariants: one
// change at a time, on top of what waits; a change is durable, published or staged, when it resolves; what was cut off
// is finished at open.

import { HoldfastError } from '#protocol/errors.ts';
import { isMeasureTargetPath } from '#protocol/measurement.ts';
import type { TrustOutcome, TrustSignature } from '#protocol/trust.ts';
import { MEASUREMENTS_ROLE, PIPELINE_ROLE } from '#protocol/trust.ts';
import { controlPlaneDelegations } from './delegations.ts';
import { authorityOf, type RootDocument, type SignedFile, type TargetsDocument } from './documents.ts';
import { emptyTargets, planImage, type Edits, type ImagePlan, type RolesState } from './image-plan.ts';
import { HeldKeys } from './keys/held-keys.ts';
import type { KeyStore } from './keys/key-store.ts';
import type { RoleKey } from './keys/role-key.ts';
import { MetadataFiles } from './metadata-files.ts';
import type { Published } from './published-metadata.ts';
import { keyIdsNamed, retiredKeyIds, without } from './named-keys.ts';
import { assertHeld, newestRoot, openRootChain, writeRoot, type RootFile } from './root-chain.ts';
import { SerialQueue } from './serial-queue.ts';
import { isEnough } from './signatures.ts';
import { StagedFiles } from './staged-files.ts';

const DAY_MS = 86_400_000;
const LIFETIMES = { snapshotMs: 30 * DAY_MS, timestampMs: 7 * DAY_MS };
const TARGETS_LIFE_MS = 365 * DAY_MS;

export interface ImageRolesOptions {
  readonly directory: string;
  readonly keyStore: KeyStore;
  readonly now: () => Date;
}

export class ImageRoles {
  readonly #options: ImageRolesOptions;
  readonly #queue = new SerialQueue();
  readonly #roots: RootFile[];
  readonly #files: MetadataFiles;
  readonly #staged: StagedFiles;
  readonly held: HeldKeys;

  private constructor(
    options: ImageRolesOptions,
    parts: { roots: RootFile[]; files: MetadataFiles; staged: StagedFiles; held: HeldKeys },
  ) {
    this.#options = options;
    this.#roots = parts.roots;
    this.#files = parts.files;
    this.#staged = parts.staged;
    this.held = parts.held;
  }

  /** Errors: `state-corrupt`, `bad-config`, `disk-full`. */
  static async open(options: ImageRolesOptions): Promise<ImageRoles> {
    const { directory, keyStore, now } = options;
    const held = await HeldKeys.open(keyStore, 'image');
    const roots = await openRootChain(directory, held, now());
    const documents = roots.map(({ signed }) => signed);
    const files = await MetadataFiles.open({ directory, stamp: {}, lifetimes: LIFETIMES, now }, documents);
    const staged = await StagedFiles.open(directory, (role) =>
      role === 'root'
        ? newestRoot(roots).signed.version
        : (files.published?.roles.get(role)?.signed.version ?? 0),
    );
    const roles = new ImageRoles(options, { roots, files, staged, held });
    assertHeld(roles.state.root.signed, held, ['snapshot', 'timestamp']);
    await roles.#queue.run(() => roles.#mend());
    return roles;
  }

  get state(): RolesState {
    const root = newestRoot(this.#roots);
    const published = this.#files.published?.roles ?? new Map<string, SignedFile<TargetsDocument>>();
    // A publish that failed half-way may have left what went out among what waits.
    const staged = [...this.#staged.entries].filter(([role, { signed }]) => {
      const before = role === 'root' ? root : published.get(role);
      return signed.version === (before?.signed.version ?? 0) + 1;
    });
    return { root, published, staged: new Map(staged) };
  }

  /** Bytes of a published file by its exact name; never of a publish that is not durable yet. */
  async read(name: string): Promise<Buffer | null> {
    await this.#queue.idle();
    return await this.#files.read(name);
  }

  /** Snapshot and timestamp as they are published. */
  get online(): Pick<Published, 'snapshot' | 'timestamp'> {
    const { published } = this.#files;
    if (published !== null) return published;
    throw new HoldfastError('internal', 'the Image repository has published nothing');
  }

  /**
   * Makes of the documents, those that wait for signatures before those that are published, what `change` returns of
   * them; roles that it does not return stay. `newKeys` are kept once the change stands.
   */
  edit(
    change: (documents: ImageDocuments) => Edits,
    newKeys: readonly { readonly role: string; readonly key: RoleKey }[] = [],
  ): Promise<TrustOutcome> {
    return this.#queue.run(async () => {
      const edits = change(documentsOf(this.state));
      if (edits.size === 0) return { published: [], staged: [] };
      for (const { role, key } of newKeys) await this.held.keep(role, key);
      return await this.#carryOut(edits);
    });
  }

  /** Keeps a signature that was found right, and publishes what has enough then. */
  addSignature(role: string, check: (state: RolesState) => TrustSignature): Promise<TrustOutcome> {
    return this.#queue.run(async () => {
      const { state } = this;
      const signature = check(state);
      const entry = state.staged.get(role);
      if (entry === undefined) throw new HoldfastError('not-found', `no ${role} waits for signatures`);
      const signatures = [...entry.signatures, signature];
      await this.#staged.add(new Map([[role, { signed: entry.signed, signatures }]]));
      return await this.#carryOut(new Map());
    });
  }

  /** Takes back what waits. Errors: `not-found`. */
  withdraw(role: string): Promise<TrustOutcome> {
    return this.#queue.run(async () => {
      const { state } = this;
      if (!state.staged.has(role)) throw new HoldfastError('not-found', `no ${role} waits for signatures`);
      const before = keyIdsNamed(state);
      await this.#staged.keepOnly(new Map([...state.staged].filter(([name]) => name !== role)));
      const outcome = await this.#carryOut(new Map());
      await this.held.retire(without(before, keyIdsNamed(this.state)));
      return outcome;
    });
  }

  /** Signs anew what has less than half of its life left and the control plane has the keys of. */
  resign(now: Date): Promise<boolean> {
    return this.#queue.run(async () => {
      const isDue = (expiresAtMs: number, lifeMs: number) => expiresAtMs - now.getTime() < lifeMs / 2;
      const due = [...this.state.published].filter(
        ([role, { signed }]) => isDue(Date.parse(signed.expires), TARGETS_LIFE_MS) && this.canSign(role),
      );
      const { snapshot, timestamp } = this.online;
      const isSnapshotDue = isDue(Date.parse(snapshot.signed.expires), LIFETIMES.snapshotMs);
      const isTimestampDue = isDue(Date.parse(timestamp.signed.expires), LIFETIMES.timestampMs);
      if (due.length === 0 && !isSnapshotDue && !isTimestampDue) return false;
      await this.#carryOut(new Map(due.map(([role, { signed }]) => [role, signed])), { isSnapshotDue });
      return true;
    });
  }

  /** Signs snapshot and timestamp once more. */
  renewOnline(): Promise<TrustOutcome> {
    return this.#queue.run(() => this.#carryOut(new Map(), { isSnapshotDue: true }));
  }

  /** Whether the control plane has enough keys of a published role, and nothing of it waits for people. */
  canSign(role: string): boolean {
    const { root, published, staged } = this.state;
    const authority = authorityOf(role === 'targets' ? root.signed : published.get('targets')?.signed, role);
    if (authority === null || staged.has(role)) return false;
    return authority.keys.filter(({ keyId }) => this.held.has(keyId)).length >= authority.threshold;
  }

  async #mend(): Promise<void> {
    const { state } = this;
    const targets = state.published.get('targets')?.signed ?? emptyTargets();
    const edits: [string, TargetsDocument][] =
      targets.delegations === undefined && (state.published.size === 0 || this.canSign('targets'))
        ? [['targets', await this.#withDelegations(targets)]]
        : [];
    await this.#carryOut(new Map(edits), null);
    const stale = await retiredKeyIds(this.#options.directory, this.#roots, this.state);
    await this.held.retire(stale);
  }

  /** Also what was made before there were delegations, when targets held measurements too. */
  async #withDelegations(before: TargetsDocument): Promise<TargetsDocument> {
    const kept = Object.entries(before.targets).filter(([path]) => !isMeasureTargetPath(path));
    const targets = { ...before, targets: Object.fromEntries(kept) };
    const pipeline = await this.held.first(PIPELINE_ROLE);
    const measurements = await this.held.first(MEASUREMENTS_ROLE);
    return controlPlaneDelegations(targets, {
      pipeline: pipeline.trustKey,
      measurements: measurements.trustKey,
    });
  }

  /** `always` publishes a timestamp though no role changed. */
  async #carryOut(
    edits: Edits,
    always: { readonly isSnapshotDue: boolean } | null = null,
  ): Promise<TrustOutcome> {
    const { state } = this;
    const named = keyIdsNamed(state);
    const plan = planImage(state, edits, this.held, this.#options.now().getTime());
    await this.#staged.add(plan.staged);
    await this.#publish(plan, always);
    await this.#staged.keepOnly(plan.staged);
    await this.held.retire(without(named, keyIdsNamed(this.state)));
    return {
      published: [...(plan.root === null ? [] : ['root']), ...plan.roles.keys()],
      staged: [...plan.staged.keys()],
    };
  }

  async #publish({ root, roles }: ImagePlan, always: { isSnapshotDue: boolean } | null): Promise<void> {
    const next = root ?? newestRoot(this.#roots);
    const published = this.#files.published;
    const isSigned = (role: 'snapshot' | 'timestamp') =>
      published !== null && isEnough(authorityOf(next.signed, role), published[role].signatures);
    const isSnapshotDue = always?.isSnapshotDue === true || !isSigned('snapshot');
    if (root === null && roles.size === 0 && always === null && !isSnapshotDue && isSigned('timestamp'))
      return;
    const keys = { snapshot: this.#key(next, 'snapshot'), timestamp: this.#key(next, 'timestamp') };
    const put = async (file: RootFile) => {
      await writeRoot(this.#options.directory, file);
      this.#roots.push(file);
    };
    const documents = [...this.#roots.map(({ signed }) => signed), ...(root === null ? [] : [root.signed])];
    await this.#files.publish(
      { roles, isSnapshotDue, keys, writeRoot: root === null ? null : () => put(root) },
      documents,
    );
  }

  #key(root: RootFile, role: 'snapshot' | 'timestamp'): RoleKey {
    const key = this.held.find(authorityOf(root.signed, role)?.keys ?? []);
    if (key !== undefined) return key;
    throw new HoldfastError('internal', `the control plane has no key for ${role}`);
  }
}

/** Root and targets documents as the next change finds them. */
export interface ImageDocuments {
  readonly root: RootDocument;
  readonly roles: ReadonlyMap<string, TargetsDocument>;
}

export function documentsOf({ root, published, staged }: RolesState): ImageDocuments {
  const roles = new Map([...published].map(([role, { signed }]) => [role, signed]));
  for (const [role, { signed }] of staged) if (signed._type === 'targets') roles.set(role, signed);
  const waiting = staged.get('root')?.signed;
  return { root: waiting?._type === 'root' ? waiting : root.signed, roles };
}
