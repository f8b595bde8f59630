// What of the Image repository goes out now, and what waits for people. Pure. Invariants: nothing goes out that a client
// would refuse, but a team's metadata after a key of it was revoked; root and targets go out together where neither
// could alone; a role that is asked to sign anew waits as the same once more.

import type { TrustKey, TrustSignature } from '#protocol/trust.ts';
import {
  TUF_VERSION,
  authorityOf,
  utcSeconds,
  type Authority,
  type RootDocument,
  type SignedFile,
  type TargetsDocument,
} from './documents.ts';
import { ROOT_LIFE_MS, type RootFile } from './root-chain.ts';
import { bytesToSign, isEnough, signedFile } from './signatures.ts';

export interface Staged {
  readonly signed: RootDocument | TargetsDocument;
  /** Right ones, of keys that the role listed when they came. */
  readonly signatures: readonly TrustSignature[];
}

export interface RolesState {
  readonly root: RootFile;
  /** By role; empty before the first publish. */
  readonly published: ReadonlyMap<string, SignedFile<TargetsDocument>>;
  readonly staged: ReadonlyMap<string, Staged>;
}

export interface ImagePlan {
  readonly root: RootFile | null;
  readonly roles: ReadonlyMap<string, SignedFile<TargetsDocument>>;
  /** All that waits afterwards. */
  readonly staged: ReadonlyMap<string, Staged>;
}

export type Edits = ReadonlyMap<string, RootDocument | TargetsDocument>;

export interface Signer {
  /** Signatures by those of the keys that the control plane holds. */
  sign(keys: readonly TrustKey[], bytes: Buffer): TrustSignature[];
}

const TARGETS_LIFE_MS = 365 * 86_400_000;

/** `edits` are documents whose version and expiry are still to be set. */
export function planImage(state: RolesState, edits: Edits, signer: Signer, nowMs: number): ImagePlan {
  const waiting = new Map(state.staged);
  for (const [role, document] of edits) waiting.set(role, nextVersion(state, role, document, nowMs));
  for (;;) {
    const root = documentOf(waiting.get('root')) ?? state.root.signed;
    signHeld(state, waiting, root, signer);
    const plan = outgoing(state, waiting, root);
    const asked = unsigned(state, plan, root);
    if (asked.length === 0) return plan;
    for (const [role, document] of asked) waiting.set(role, nextVersion(state, role, document, nowMs));
  }
}

export function emptyTargets(): TargetsDocument {
  return { _type: 'targets', spec_version: TUF_VERSION, version: 1, expires: '', targets: {}, holdfast: {} };
}

/** Who signs a role that waits: of targets under the root that waits, of all below under the targets in force. */
export function authorityFor(state: RolesState, role: string): Authority | null {
  const root = documentOf(state.staged.get('root')) ?? state.root.signed;
  if (role === 'root' || role === 'targets') return authorityOf(root, role);
  return authorityOf(state.published.get('targets')?.signed, role);
}

/**
 * The document as the next version of its role, with nobody's signature. Targets name their role, so that what people
 * signed for one role is never taken for another that they sign too.
 */
export function nextVersion(
  { root, published }: RolesState,
  role: string,
  document: RootDocument | TargetsDocument,
  nowMs: number,
): Staged {
  const before = role === 'root' ? root : published.get(role);
  const lifeMs = role === 'root' ? ROOT_LIFE_MS : TARGETS_LIFE_MS;
  const named =
    document._type === 'root' ? document : { ...document, holdfast: { ...document.holdfast, role } };
  const signed = {
    ...named,
    version: (before?.signed.version ?? 0) + 1,
    expires: utcSeconds(nowMs + lifeMs),
  };
  return { signed, signatures: [] };
}

/** Adds signatures by keys that the control plane holds, to each that waits. */
export function signHeld(
  { root, published }: RolesState,
  waiting: Map<string, Staged>,
  nextRoot: RootDocument,
  signer: Signer,
): void {
  const targets = targetsOf(waiting) ?? published.get('targets')?.signed;
  for (const [role, { signed, signatures }] of waiting) {
    const authorities = [
      authorityOf(
        role === 'root' || role === 'targets' ? root.signed : published.get('targets')?.signed,
        role,
      ),
      authorityOf(role === 'root' || role === 'targets' ? nextRoot : targets, role),
    ];
    const have = new Set(signatures.map(({ keyid }) => keyid));
    const keys = new Map(authorities.flatMap((of) => of?.keys ?? []).map((key) => [key.keyId, key]));
    const lacking = [...keys.values()].filter(({ keyId }) => !have.has(keyId));
    if (lacking.length === 0) continue;
    const made = signer.sign(lacking, bytesToSign(signed));
    if (made.length > 0) waiting.set(role, { signed, signatures: [...signatures, ...made] });
  }
}

/** Whether a root that waits has the signatures of the one in force and its own (TUF section 5.3.4). */
export function isRootSigned(inForce: RootDocument, waiting: Staged | undefined): boolean {
  const root = documentOf(waiting);
  if (root === null) return false;
  return [inForce, root].every((by) => isEnough(authorityOf(by, 'root'), waiting?.signatures ?? []));
}

function outgoing(state: RolesState, waiting: ReadonlyMap<string, Staged>, root: RootDocument): ImagePlan {
  const staged = new Map(waiting);
  const take = (role: string, goes: boolean): Staged | null => {
    const entry = staged.get(role);
    if (!goes || entry === undefined) return null;
    staged.delete(role);
    return entry;
  };
  const isTargetsSigned = (by: RootDocument, signatures: readonly TrustSignature[] | undefined) =>
    signatures !== undefined && isEnough(authorityOf(by, 'targets'), signatures);
  const ofTargets = waiting.get('targets')?.signatures;
  const rootGoes =
    isRootSigned(state.root.signed, waiting.get('root')) &&
    (isTargetsSigned(root, ofTargets) || isTargetsSigned(root, state.published.get('targets')?.signatures));
  const targetsGo =
    isTargetsSigned(root, ofTargets) && (rootGoes || isTargetsSigned(state.root.signed, ofTargets));
  const rootFile = fileOf<RootDocument>(take('root', rootGoes));
  const roles = new Map<string, SignedFile<TargetsDocument>>();
  const put = (role: string, file: SignedFile<TargetsDocument> | null) => {
    if (file !== null) roles.set(role, file);
  };
  put('targets', fileOf<TargetsDocument>(take('targets', targetsGo)));
  const targets = roles.get('targets') ?? state.published.get('targets');
  for (const [role, { signatures }] of waiting) {
    if (role === 'root' || role === 'targets') continue;
    const authority = authorityOf(targets?.signed, role);
    if (authority === null) staged.delete(role);
    else put(role, fileOf<TargetsDocument>(take(role, isEnough(authority, signatures))));
  }
  return { root: rootFile, roles, staged };
}

/** Documents that must be signed anew, or for the first time, and do not wait yet. */
function unsigned(
  { published }: RolesState,
  { roles, staged }: ImagePlan,
  root: RootDocument,
): [string, TargetsDocument][] {
  const now = (role: string) => roles.get(role) ?? published.get(role);
  const targets = now('targets');
  const authorities = new Map<string, Authority | null>([['targets', authorityOf(root, 'targets')]]);
  for (const { name } of targets?.signed.delegations?.roles ?? []) {
    authorities.set(name, authorityOf(targets?.signed, name));
  }
  return [...authorities]
    .filter(([role, authority]) => !staged.has(role) && !isEnough(authority, now(role)?.signatures ?? []))
    .map(([role]) => [role, now(role)?.signed ?? emptyTargets()]);
}

function documentOf(staged: Staged | undefined): RootDocument | null {
  return staged?.signed._type === 'root' ? staged.signed : null;
}

function targetsOf(waiting: ReadonlyMap<string, Staged>): TargetsDocument | null {
  const signed = waiting.get('targets')?.signed;
  return signed?._type === 'targets' ? signed : null;
}

function fileOf<S extends RootDocument | TargetsDocument>(staged: Staged | null): SignedFile<S> | null {
  return staged === null ? null : signedFile(staged.signed as S, staged.signatures);
}
