// An Image repository on paper: every key in the test's hands, each role with people of its own. What is published lies
// in place of the control plane's. A thief publishes with the keys he holds; all else of it stays as it was signed.

import { createHash } from 'node:crypto';
import { MetaFile, Metadata, Root, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import { Delegations } from '@tufjs/models/dist/delegations.js';
import { DelegatedRole, Role } from '@tufjs/models/dist/role.js';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { TUF_VERSION, utcSeconds } from '#control-plane/trust/documents.ts';
import type { JsonObject } from '#control-plane/trust/keys/signed-bytes.ts';

const DAY_MS = 86_400_000;
const LIFETIME_MS: Readonly<Record<string, number>> = { snapshot: 30 * DAY_MS, timestamp: 7 * DAY_MS };

export interface RolePlan {
  readonly keys: readonly RoleKey[];
  readonly threshold: number;
  /** What targets delegates to it; of roles that root names, nothing. */
  readonly paths?: readonly string[];
}

export interface PaperTarget {
  readonly sha256: string;
  readonly length: number;
  readonly custom: JsonObject;
}

export interface Publication {
  /** Keys that sign what is new; all there ever were unless told. */
  readonly holds?: readonly RoleKey[];
  /** Keys that sign a role in place of its own. */
  readonly instead?: Readonly<Record<string, readonly RoleKey[]>>;
  /** Versions other than the next, by role. */
  readonly versions?: Readonly<Record<string, number>>;
  /** How long the new metadata holds, ms. */
  readonly lifetimeMs?: number;
}

interface Content {
  readonly targets: Map<string, PaperTarget>;
  holdfast: JsonObject;
}
interface File {
  readonly version: number;
  readonly bytes: Buffer;
}
type Signed = Root | Targets | Snapshot | Timestamp;

/** As many fresh keys as asked for. */
export function someKeys(count: number): RoleKey[] {
  return Array.from({ length: count }, () => RoleKey.generate());
}

export class OfflineImage {
  readonly #pin: (path: string, bytes: Buffer) => void;
  readonly #now: () => number;
  /** In the order of trust. */
  readonly #plans = new Map<string, RolePlan>();
  readonly #content = new Map<string, Content>();
  readonly #files = new Map<string, File>();
  /** What a role below targets delegates, by that role. */
  readonly #handedOn = new Map<string, Map<string, RolePlan>>();
  readonly #dropped = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #everyKey = new Set<RoleKey>();
  #oldRoot: RolePlan | null = null;

  /** `pin` serves bytes under a path of the gateway from then on. */
  constructor(pin: (path: string, bytes: Buffer) => void, now: () => number) {
    this.#pin = pin;
    this.#now = now;
  }

  /** The newest root, as enrolment gives it to a device. */
  get root(): string {
    return this.bytesOf('root').toString('utf8');
  }

  bytesOf(role: string): Buffer {
    const file = this.#files.get(role);
    if (file === undefined) throw new Error(`${role} was never published`);
    return file.bytes;
  }

  keysOf(role: string): readonly RoleKey[] {
    return this.#planOf(role).keys;
  }

  /** Makes a role, or gives it other keys. */
  plan(role: string, plan: RolePlan): void {
    if (role === 'root' && this.#plans.has('root')) this.#oldRoot ??= this.#planOf('root');
    this.#plans.set(role, plan);
    for (const key of plan.keys) this.#everyKey.add(key);
    this.#changed.add(plan.paths === undefined ? 'root' : 'targets').add(role);
  }

  /** Targets delegates nothing to it any more; its people may go on publishing all the same. */
  drop(role: string): void {
    this.#dropped.add(role);
    this.#changed.add('targets');
  }

  /** A role below targets delegates in its turn; the name may be that of another role. */
  handOn(role: string, name: string, plan: RolePlan): void {
    this.#handedOn.set(role, new Map(this.#handedOn.get(role)).set(name, plan));
    for (const key of plan.keys) this.#everyKey.add(key);
    this.#changed.add(role).add(name);
  }

  put(role: string, path: string, target: PaperTarget): void {
    this.#contentOf(role).targets.set(path, target);
    this.#changed.add(role);
  }

  take(role: string, path: string): void {
    this.#contentOf(role).targets.delete(path);
    this.#changed.add(role);
  }

  /** Holdfast's own signed fields of targets or a team. */
  say(role: string, holdfast: JsonObject): void {
    this.#contentOf(role).holdfast = holdfast;
    this.#changed.add(role);
  }

  /** Puts an older or foreign file in place of a role's; the version it says is the one it is served under. */
  restore(role: string, bytes: Buffer): void {
    const { signed } = JSON.parse(bytes.toString('utf8')) as { signed: { version: number } };
    this.#files.set(role, { version: signed.version, bytes });
    this.#pin(`/image/${signed.version}.${role}.json`, bytes);
  }

  /** Snapshots list the role no more. */
  forget(role: string): void {
    this.#files.delete(role);
  }

  publish(how: Publication = {}): void {
    const below = [...this.#changed].filter((role) => isDelegated(role));
    for (const role of ['root', 'targets', ...below]) {
      if (this.#changed.has(role)) this.#write(role, how);
    }
    this.#changed.clear();
    this.#oldRoot = null;
    this.#write('snapshot', how);
    this.#write('timestamp', how);
  }

  #write(role: string, how: Publication): void {
    const { holds = [...this.#everyKey], instead = {}, versions = {}, lifetimeMs } = how;
    const version = versions[role] ?? (this.#files.get(role)?.version ?? 0) + 1;
    const expiresAtMs = this.#now() + (lifetimeMs ?? LIFETIME_MS[role] ?? 365 * DAY_MS);
    const metadata = new Metadata(this.#signedOf(role, version, utcSeconds(expiresAtMs)));
    const keys = instead[role] ?? this.#planOf(role).keys;
    const signers = role === 'root' ? [...(this.#oldRoot?.keys ?? []), ...keys] : keys;
    for (const key of new Set(signers)) if (holds.includes(key)) metadata.sign((bytes) => key.sign(bytes));
    const bytes = Buffer.from(JSON.stringify(metadata.toJSON()));
    this.#files.set(role, { version, bytes });
    this.#pin(`/image/${role === 'timestamp' ? '' : `${version}.`}${role}.json`, bytes);
  }

  #signedOf(role: string, version: number, expires: string): Signed {
    const common = { version, specVersion: TUF_VERSION, expires };
    if (role === 'root') return this.#root(common);
    if (role === 'timestamp') return new Timestamp({ ...common, snapshotMeta: this.#meta('snapshot') });
    if (role !== 'snapshot') return this.#targets(role, common);
    const listed = [...this.#files.keys()].filter((name) => name === 'targets' || isDelegated(name));
    return new Snapshot({
      ...common,
      meta: Object.fromEntries(listed.map((name) => [`${name}.json`, this.#meta(name)])),
    });
  }

  #root(common: { version: number; specVersion: string; expires: string }): Root {
    const plans = ['root', 'targets', 'snapshot', 'timestamp'].map(
      (role) => [role, this.#planOf(role)] as const,
    );
    return new Root({
      ...common,
      consistentSnapshot: true,
      keys: Object.fromEntries(plans.flatMap(([, { keys }]) => listed(keys))),
      roles: Object.fromEntries(
        plans.map(([role, { keys, threshold }]) => [role, new Role({ keyIDs: idsOf(keys), threshold })]),
      ),
    });
  }

  #targets(role: string, common: { version: number; specVersion: string; expires: string }): Targets {
    const { targets, holdfast } = this.#contentOf(role);
    const delegated = this.#delegatedBy(role);
    const delegations = new Delegations({
      keys: Object.fromEntries(delegated.flatMap(([, { keys }]) => listed(keys))),
      roles: Object.fromEntries(
        delegated.map(([name, { keys, threshold, paths = [] }]) => [
          name,
          new DelegatedRole({ name, keyIDs: idsOf(keys), threshold, terminating: false, paths: [...paths] }),
        ]),
      ),
    });
    const signed = new Targets({
      ...common,
      unrecognizedFields: { holdfast },
      ...(delegated.length > 0 ? { delegations } : {}),
    });
    for (const [path, { sha256, length, custom }] of targets) {
      signed.addTarget(new TargetFile({ path, length, hashes: { sha256 }, unrecognizedFields: { custom } }));
    }
    return signed;
  }

  #delegatedBy(role: string): [string, RolePlan][] {
    if (role !== 'targets') return [...(this.#handedOn.get(role) ?? [])];
    return [...this.#plans].filter(([name]) => isDelegated(name) && !this.#dropped.has(name));
  }

  #meta(role: string): MetaFile {
    const { version = 1, bytes = Buffer.alloc(0) } = this.#files.get(role) ?? {};
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return new MetaFile({ version, length: bytes.length, hashes: { sha256 } });
  }

  #planOf(role: string): RolePlan {
    const handedOn = [...this.#handedOn.values()].map((plans) => plans.get(role));
    const plan = this.#plans.get(role) ?? handedOn.find((found) => found !== undefined);
    if (plan === undefined) throw new Error(`nobody planned ${role}`);
    return plan;
  }

  #contentOf(role: string): Content {
    const content = this.#content.get(role) ?? { targets: new Map(), holdfast: {} };
    this.#content.set(role, content);
    return content;
  }
}

function isDelegated(role: string): boolean {
  return !['root', 'targets', 'snapshot', 'timestamp'].includes(role);
}

function idsOf(keys: readonly RoleKey[]): string[] {
  return keys.map(({ keyId }) => keyId);
}

function listed(keys: readonly RoleKey[]): [string, RoleKey['publicKey']][] {
  return keys.map(({ keyId, publicKey }) => [keyId, publicKey]);
}
