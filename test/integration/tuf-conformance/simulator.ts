// A TUF repository that can be made to do wrong: plain metadata documents a test may change as it likes, signed
// as they stand. Files are named as TUF 1.0 section 7 has it; nothing is served that was not published.

import { createHash } from 'node:crypto';
import { Metadata } from '@tufjs/models';
import { ed25519Key } from './simulated-keys.ts';
import type { KeyJson, SimulatedKey } from './simulated-keys.ts';

export type Json = Record<string, unknown>;

interface Signed extends Json {
  version: number;
  expires: string;
}
export interface MetaJson {
  version: number;
  length?: number;
  hashes?: Record<string, string>;
}
export interface RoleJson {
  keyids: string[];
  threshold: number;
}
export interface RootJson extends Signed {
  keys: Record<string, KeyJson>;
  roles: Record<string, RoleJson>;
  consistent_snapshot: boolean;
}
export interface TargetJson {
  length: number;
  hashes: Record<string, string>;
}
export interface DelegationJson extends RoleJson {
  name: string;
  terminating: boolean;
  paths?: string[];
  path_hash_prefixes?: string[];
}
export interface TargetsJson extends Signed {
  targets: Record<string, TargetJson>;
  delegations?: { keys: Record<string, KeyJson>; roles: DelegationJson[] };
}

export const START_MS = Date.UTC(2030, 0, 1);
export const DAY_MS = 86_400_000;
const TOP = ['root', 'timestamp', 'snapshot', 'targets'];

export class Simulator {
  readonly root: RootJson;
  readonly timestamp: Signed & { meta: { 'snapshot.json': MetaJson } };
  readonly snapshot: Signed & { meta: Record<string, MetaJson> };
  /** `targets` and every delegated role, by name. */
  readonly targets = new Map<string, TargetsJson>();
  /** Who signs a role at its next publish, whatever the delegator says. */
  readonly signers = new Map<string, SimulatedKey[]>();
  /** Bytes by file name, as served. */
  readonly files = new Map<string, Buffer>();
  /** Bytes of targets by their path below the base. */
  readonly artifacts = new Map<string, Buffer>();
  /** Snapshot and timestamp list lengths and hashes of what is published from now on. */
  listsHashes = false;

  constructor() {
    const keys = Object.fromEntries(TOP.map((role) => [role, ed25519Key()] as const));
    for (const [role, key] of Object.entries(keys)) this.signers.set(role, [key]);
    this.root = {
      ...common('root'),
      consistent_snapshot: true,
      keys: Object.fromEntries(Object.values(keys).map((key) => [key.id, key.json])),
      roles: Object.fromEntries(TOP.map((role) => [role, { keyids: [keys[role]?.id ?? ''], threshold: 1 }])),
    };
    this.timestamp = { ...common('timestamp'), meta: { 'snapshot.json': { version: 1 } } };
    this.snapshot = { ...common('snapshot'), meta: {} };
    this.targets.set('targets', { ...common('targets'), targets: {} });
    for (const role of ['root', 'targets', 'snapshot', 'timestamp']) this.#sign(role);
  }

  get anchor(): Buffer {
    return this.files.get('1.root.json') ?? Buffer.alloc(0);
  }

  document(role: string): Signed {
    if (role === 'root') return this.root;
    if (role === 'timestamp') return this.timestamp;
    if (role === 'snapshot') return this.snapshot;
    const targets = this.targets.get(role);
    if (targets === undefined) throw new Error(`there is no role ${role}`);
    return targets;
  }

  /** Next version of each role, in order; a role is named in snapshot or timestamp as it is published. */
  publish(...roles: string[]): void {
    for (const role of roles) {
      this.document(role).version += 1;
      this.#sign(role);
    }
  }

  publishAll(): void {
    this.publish(...this.targets.keys(), 'snapshot', 'timestamp');
  }

  /** Signs a role at the version it has, over what was published before. */
  republish(role: string): void {
    this.#sign(role);
  }

  /** Replaces the keys of a top-level role; root is not published yet. */
  rotate(role: string, keys: SimulatedKey[] = [ed25519Key()], threshold = 1): void {
    for (const key of keys) this.root.keys[key.id] = key.json;
    this.root.roles[role] = { keyids: keys.map(({ id }) => id), threshold };
    if (role !== 'root') this.signers.set(role, keys);
  }

  /** Adds a delegation, last, with one key of its own; neither role is published yet. */
  delegate(from: string, name: string, change: Partial<DelegationJson> = {}): TargetsJson {
    const delegator = this.targets.get(from);
    if (delegator === undefined) throw new Error(`there is no role ${from}`);
    const signers = this.signers.get(name) ?? [ed25519Key()];
    this.signers.set(name, signers);
    delegator.delegations ??= { keys: {}, roles: [] };
    for (const { id, json } of signers) delegator.delegations.keys[id] = json;
    const isByHash = change.path_hash_prefixes !== undefined;
    delegator.delegations.roles.push({
      keyids: signers.map(({ id }) => id),
      threshold: 1,
      name,
      terminating: false,
      ...(isByHash ? {} : { paths: ['*'] }),
      ...change,
    });
    const role = this.targets.get(name) ?? { ...common('targets'), version: 0, targets: {} };
    this.targets.set(name, role);
    return role;
  }

  /** Lists a target in a role and serves its bytes under both of its names; the role is not published yet. */
  addTarget(
    role: string,
    path: string,
    bytes: Buffer,
    algorithms: readonly string[] = ['sha256'],
  ): TargetJson {
    const hashes = Object.fromEntries(algorithms.map((name) => [name, digest(bytes, name)]));
    const target = { length: bytes.length, hashes };
    const targets = this.targets.get(role);
    if (targets === undefined) throw new Error(`there is no role ${role}`);
    targets.targets[path] = target;
    const cut = path.lastIndexOf('/') + 1;
    for (const hash of Object.values(hashes)) {
      this.artifacts.set(`${path.slice(0, cut)}${hash}.${path.slice(cut)}`, bytes);
    }
    this.artifacts.set(path, bytes);
    return target;
  }

  /** Signs any document as any role would be signed. */
  signed(document: Json, keys: readonly SimulatedKey[]): Buffer {
    const metadata = new Metadata({ toJSON: () => document } as never);
    for (const key of keys) {
      metadata.sign((bytes) => ({ keyID: key.id, sig: key.sign(bytes), toJSON: () => ({}) }));
    }
    const signatures = Object.values(metadata.signatures).map(({ keyID, sig }) => ({ keyid: keyID, sig }));
    return Buffer.from(JSON.stringify({ signatures, signed: document }));
  }

  #sign(role: string): void {
    const document = this.document(role);
    const bytes = this.signed(document, this.signers.get(role) ?? []);
    const name = encodeURIComponent(role);
    if (role !== 'timestamp') this.files.set(`${document.version}.${name}.json`, bytes);
    if (role !== 'root') this.files.set(`${name}.json`, bytes);
    const meta: MetaJson = { version: document.version };
    if (this.listsHashes) {
      meta.length = bytes.length;
      meta.hashes = { sha256: digest(bytes, 'sha256') };
    }
    if (role === 'snapshot') this.timestamp.meta['snapshot.json'] = meta;
    else if (this.targets.has(role)) this.snapshot.meta[`${role}.json`] = meta;
  }
}

/** As metadata writes a time: UTC, whole seconds. */
export function utc(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}

export function digest(bytes: Buffer | string, algorithm: string): string {
  return createHash(algorithm).update(bytes).digest('hex');
}

function common(type: string): Signed & { _type: string } {
  return { _type: type, spec_version: '1.0.31', version: 1, expires: utc(START_MS + 30 * DAY_MS) };
}
