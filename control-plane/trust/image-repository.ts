// The Image repository: what may exist, signed by authors, and what the pipeline made of it. Invariants: a target path
// never changes its bytes; a release never goes away, a measurement target may; the floor of a model only rises.
// Source: TUF 1.0; Uptane Standard 2.1, section 5.4 (Image repository).

import { HoldfastError } from '#protocol/errors.ts';
import { modelNameSchema } from '#protocol/identifiers.ts';
import { isMeasureTargetPath } from '#protocol/measurement.ts';
import { imageCustomSchema } from '#protocol/release.ts';
import {
  MEASUREMENTS_ROLE,
  PIPELINE_ROLE,
  isAuthorRole,
  sourceTargetPath,
  teamOfRole,
  type AuthorSignature,
  type TrustKey,
} from '#protocol/trust.ts';
import { entryIn, hasPipeline, lookUp, teamDelegationOf } from './delegations.ts';
import { authorFieldsOf, authorityOf, type TargetEntry, type TargetsDocument } from './documents.ts';
import { makeDirectoryDurably } from './durable-files.ts';
import { emptyTargets } from './image-plan.ts';
import { ImageRoles, type ImageDocuments, type ImageRolesOptions } from './image-roles.ts';
import { entryOf, kindOfPath, modelOfPath, withTarget, type NewTarget } from './image-targets.ts';
import type { RoleKey } from './keys/role-key.ts';
import { withFloor, type CountedRelease } from './model-floors.ts';

export type { NewTarget } from './image-targets.ts';
export type Placed = 'published' | 'staged';

export interface AuthorRole {
  readonly role: string;
  readonly keys: TrustKey[];
  readonly threshold: number;
  readonly authorSignature: AuthorSignature;
}

export class ImageRepository {
  readonly roles: ImageRoles;
  readonly #now: () => Date;

  private constructor(roles: ImageRoles, now: () => Date) {
    this.roles = roles;
    this.#now = now;
  }

  /** Makes the repository on first start, with keys of the control plane for all roles. Errors: `state-corrupt`. */
  static async open(options: ImageRolesOptions): Promise<ImageRepository> {
    await makeDirectoryDurably(options.directory);
    return new ImageRepository(await ImageRoles.open(options), options.now);
  }

  /** The newest root metadata, given to devices when they enrol. */
  get trustedRoot(): string {
    return this.roles.state.root.bytes.toString('utf8');
  }

  /** Whether the control plane may sign variants of what authors signed. */
  get hasPipeline(): boolean {
    return hasPipeline(this.#published().get('targets'));
  }

  /** Signs for the control plane what it made. Errors: `conflict` under the strict policy. */
  pipelineKey(): RoleKey {
    const keys = authorityOf(this.#published().get('targets'), PIPELINE_ROLE)?.keys ?? [];
    const key = this.roles.held.find(keys);
    if (key !== undefined) return key;
    throw new HoldfastError('conflict', 'the control plane signs no variants here', {
      hint: 'the strict policy is in force: the authors of a model sign its variants',
    });
  }

  /** The team whose models it is of; null when it is of no team. */
  teamOf(model: string): string | null {
    const delegation = teamDelegationOf(this.#published().get('targets'), model);
    return delegation === undefined ? null : teamOfRole(delegation.name);
  }

  /** Who signs the sources of a model: the first team whose patterns match, else targets. */
  authorRoleOf(model: string): AuthorRole {
    const { root } = this.roles.state;
    const targets = this.#published().get('targets');
    const role = teamDelegationOf(targets, model)?.name ?? 'targets';
    const authority = authorityOf(role === 'targets' ? root.signed : targets, role);
    const policies = targets === undefined ? {} : authorFieldsOf(targets).authorSignatures;
    return {
      role,
      keys: [...(authority?.keys ?? [])],
      threshold: authority?.threshold ?? 1,
      authorSignature: Object.hasOwn(policies, role) ? (policies[role] ?? 'none') : 'none',
    };
  }

  /** Signs what authors made of one model, or lets it wait for them. Errors: `bad-request`, `version-exists`. */
  async addAuthorTargets(model: string, targets: readonly NewTarget[]): Promise<Placed> {
    const { role } = this.authorRoleOf(model);
    for (const { path } of targets) {
      if (modelOfPath(path) === model) continue;
      throw new HoldfastError('bad-request', `${path} is no target of ${model}`);
    }
    return await this.#add(role, targets, ['source', 'author-signature', 'release']);
  }

  /** Signs a variant. Errors: `signature-missing` when it names no source that authors signed, `version-exists`. */
  async addRelease(target: NewTarget): Promise<Placed> {
    if (!this.hasPipeline) return await this.addAuthorTargets(modelOfPath(target.path), [target]);
    this.#assertSource(target);
    return await this.#add(PIPELINE_ROLE, [target], ['release']);
  }

  /** Lets devices time a candidate. Errors: `bad-request`, `version-exists`. */
  async addMeasurement(target: NewTarget): Promise<void> {
    await this.#add(MEASUREMENTS_ROLE, [target], ['measurement']);
  }

  /** Takes measurement targets away, all of them or the one named; a release never goes. Answers their digests. */
  async withdrawMeasurements(only?: string): Promise<string[]> {
    const withdrawn: string[] = [];
    await this.roles.edit(({ roles }) => {
      const document = roles.get(MEASUREMENTS_ROLE);
      const gone = Object.entries(document?.targets ?? {}).filter(
        ([path]) => isMeasureTargetPath(path) && (only === undefined || path === only),
      );
      if (document === undefined || gone.length === 0) return new Map();
      const targets = { ...document.targets };
      for (const [path, { hashes }] of gone) {
        delete targets[path];
        withdrawn.push(hashes.sha256);
      }
      return new Map([[MEASUREMENTS_ROLE, { ...document, targets }]]);
    });
    return withdrawn;
  }

  /** Lowest release counter of the model that devices still accept; 0 when none was signed. */
  floor(model: string): number {
    const published = this.#published();
    const fieldsOf = (role: string | undefined) => {
      const document = role === undefined ? undefined : published.get(role);
      return document === undefined ? {} : authorFieldsOf(document).floors;
    };
    const team = teamDelegationOf(published.get('targets'), model)?.name;
    const floors = [fieldsOf('targets'), fieldsOf(team)];
    return Math.max(...floors.map((of) => (Object.hasOwn(of, model) ? (of[model] ?? 0) : 0)));
  }

  /** Raises the floor of a model. Errors: `conflict` for a lower one, `not-found` above every signed release. */
  async setFloor(model: string, releaseCounter: number): Promise<Placed> {
    modelNameSchema.parse(model);
    const releases = this.releasesOf(model);
    await this.roles.edit((documents) => {
      const targets = documents.roles.get('targets') ?? emptyTargets();
      const raised = withFloor(targets, model, releaseCounter, releases);
      return raised === targets ? new Map() : new Map([['targets', raised]]);
    });
    return this.floor(model) >= releaseCounter ? 'published' : 'staged';
  }

  /** The contract that authors signed as a version; undefined when they have not, or what they signed still waits. */
  source(model: string, version: number): TargetEntry | undefined {
    const found = lookUp(this.#published(), sourceTargetPath(model, version));
    return found !== null && isAuthorRole(found.role) ? found.entry : undefined;
  }

  target(path: string): TargetEntry | undefined {
    return lookUp(this.#published(), path)?.entry;
  }

  /** The role that clients take a published target from. */
  roleOf(path: string): string | null {
    return lookUp(this.#published(), path)?.role ?? null;
  }

  /** Signs anew what has less than half of its life left; true when there was something. */
  resign(now: Date = this.#now()): Promise<boolean> {
    return this.roles.resign(now);
  }

  /** Bytes of a metadata file by its exact name; null for every other name. */
  readImageFile(name: string): Promise<Buffer | null> {
    return this.roles.read(name);
  }

  #published(): ReadonlyMap<string, TargetsDocument> {
    return new Map([...this.roles.state.published].map(([role, { signed }]) => [role, signed]));
  }

  async #add(
    role: string,
    targets: readonly NewTarget[],
    kinds: Parameters<typeof entryOf>[1],
  ): Promise<Placed> {
    const entries = targets.map((target) => [target.path, entryOf(target, kinds)] as const);
    await this.roles.edit(({ roles }: ImageDocuments) => {
      const before = roles.get(role) ?? emptyTargets();
      const after = entries.reduce(
        (document, [path, entry]) => withTarget(roles, document, path, entry),
        before,
      );
      return after === before ? new Map() : new Map([[role, after]]);
    });
    const published = this.#published().get(role);
    return entries.every(([path]) => entryIn(published, path) !== undefined) ? 'published' : 'staged';
  }

  #assertSource({ path, custom }: NewTarget): void {
    const [model = '', version = ''] = path.split('/');
    const source = this.source(model, Number(version));
    const named = 'sourceSha256' in custom ? custom.sourceSha256 : undefined;
    if (kindOfPath(path) !== 'release' || (source !== undefined && source.hashes.sha256 === named)) return;
    throw new HoldfastError(
      'signature-missing',
      source === undefined
        ? `no author signed version ${version} of ${model}`
        : `${path} does not name the source that the authors of ${model} signed`,
      {
        hint: 'The authors of a model sign its version first; `holdfast trust status` shows what waits for them.',
      },
    );
  }

  /** Releases of the model that are signed. */
  releasesOf(model: string): CountedRelease[] {
    return [...this.#published().values()].flatMap(({ targets }) =>
      Object.entries(targets)
        .filter(([path]) => modelOfPath(path) === model && kindOfPath(path) === 'release')
        .map(([path, { custom }]) => ({
          version: Number(path.split('/', 2)[1]),
          releaseCounter: imageCustomSchema.parse(custom).releaseCounter,
        })),
    );
  }
}
