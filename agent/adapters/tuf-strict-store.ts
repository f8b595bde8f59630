// Makes the trusted set of tuf-js stricter before it may trust anything: distinct keys towards a threshold,
// well-formed versions and expiries, expiry against a floor of time. Root, timestamp and snapshot must pass
// both these checks and those of tuf-js; targets are verified here (TUF 1.0 sections 5.6.2 to 5.6.5).

import { Metadata, MetadataKind } from '@tufjs/models';
import type { Root, Targets } from '@tufjs/models';
import { BadVersionError, ExpiredMetadataError, RepositoryError } from 'tuf-js/dist/error.js';
import type { TrustedMetadataStore } from 'tuf-js/dist/store.js';
import { issuedAtMs } from './tuf-memory.ts';
import { readTargets } from './tuf-targets-metadata.ts';
import { assertThreshold, envelopeOf, readEnvelope } from './tuf-threshold.ts';

/** tuf-js copies a map for each of its entries: some ten thousand would hold up inference for minutes. */
const MAX_ENTRIES = 1_000;

export interface StrictTime {
  /** The clock when the update started, unix ms. */
  readonly startMs: number;
  /** The least that now can be under the keys of a root, unix ms. */
  readonly floorMs: (root: Root) => number;
}

/** What of the store tuf-js keeps to itself. */
export interface StoreInternals {
  readonly setReferenceTime: (now: Date) => void;
  readonly trust: (role: string, metadata: Metadata<Targets>) => void;
}

/** Changes the store in place. `rootBytes` is what it was made of. Throws RepositoryError where that fails. */
export function makeStrict(
  store: TrustedMetadataStore,
  rootBytes: Buffer,
  time: StrictTime,
  internals: StoreInternals,
): void {
  const updateRoot = store.updateRoot.bind(store);
  const updateTimestamp = store.updateTimestamp.bind(store);
  const updateSnapshot = store.updateSnapshot.bind(store);
  let now = new Date(time.startMs);
  const reach = (nowMs: number): void => {
    now = new Date(nowMs);
    internals.setReferenceTime(now);
  };
  const rootIsTrusted = (): void => {
    countDistinctKeys(store.root);
    reach(Math.max(time.startMs, time.floorMs(store.root.signed))); // new keys may start the floor anew
  };

  assertThreshold(store.root.signed, 'root', readEnvelope(rootBytes));
  rootIsTrusted();
  store.updateRoot = (bytes) => {
    const envelope = readEnvelope(bytes);
    assertThreshold(store.root.signed, 'root', envelope);
    const next = Metadata.fromJSON(MetadataKind.Root, JSON.parse(bytes.toString('utf8')) as never);
    assertThreshold(next.signed, 'root', envelope);
    assertSameRepository(store.root.signed, next.signed);
    const trusted = updateRoot(bytes);
    rootIsTrusted();
    return trusted;
  };
  store.updateTimestamp = (bytes) => {
    assertThreshold(store.root.signed, 'timestamp', readEnvelope(bytes));
    const trusted = updateTimestamp(bytes);
    reach(Math.max(now.getTime(), issuedAtMs(trusted.signed)));
    return trusted;
  };
  store.updateSnapshot = (bytes, isTrusted) => {
    const envelope = readEnvelope(bytes);
    assertThreshold(store.root.signed, 'snapshot', envelope);
    assertFew('files in the snapshot', envelope.signed.meta);
    return updateSnapshot(bytes, isTrusted);
  };
  store.updateDelegatedTargets = (bytes, role, delegatorName) => {
    internals.trust(role, verifyTargets({ store, bytes, role, delegatorName, now }));
  };
}

/** Image and Director may have the same people sign their roots: a root that names its repository is followed by its like. */
function assertSameRepository(before: Root, next: Root): void {
  const repository = repositoryOf(before);
  if (repository === undefined || repositoryOf(next) === repository) return;
  throw new RepositoryError(`root ${next.version} is of another repository than the root before it`);
}

function repositoryOf({ unrecognizedFields }: Root): unknown {
  return (unrecognizedFields['holdfast'] as { repository?: unknown } | null | undefined)?.repository;
}

/** One person may sign several roles: targets that name theirs are good for no other. */
function assertSameRole({ unrecognizedFields }: Targets, role: string): void {
  const named = (unrecognizedFields['holdfast'] as { role?: unknown } | null | undefined)?.role;
  if (named === undefined || named === role) return;
  throw new RepositoryError(`${role} is not what its metadata was signed for`);
}

interface TargetsUpdate {
  readonly store: TrustedMetadataStore;
  readonly bytes: Buffer;
  readonly role: string;
  readonly delegatorName: string;
  readonly now: Date;
}

function verifyTargets({ store, bytes, role, delegatorName, now }: TargetsUpdate): Metadata<Targets> {
  assertFinal(store, now);
  const delegator = delegatorName === 'root' ? store.root : store.getRole(delegatorName);
  if (delegator === undefined) throw new RepositoryError(`nobody trusted delegates ${role}`);
  const listed = store.snapshot?.signed.meta[`${role}.json`];
  if (listed === undefined) throw new RepositoryError(`the snapshot does not list ${role}`);
  listed.verify(bytes); // section 5.6.2
  const envelope = readEnvelope(bytes);
  assertThreshold(delegator.signed, role, envelope); // section 5.6.3
  const { delegations } = envelope.signed as {
    readonly delegations?: { keys?: unknown; roles?: unknown } | null;
  };
  assertFew(`delegations of ${role}`, delegations?.roles);
  assertFew(`keys of ${role}`, delegations?.keys);
  const metadata = readTargets(envelope);
  assertSameRole(metadata.signed, role);
  if (metadata.signed.version !== listed.version) {
    const { version } = metadata.signed;
    throw new BadVersionError(`the snapshot lists ${role} at version ${listed.version}, this is ${version}`);
  }
  if (metadata.signed.isExpired(now)) throw new ExpiredMetadataError(`${role} has expired`); // section 5.6.5
  countDistinctKeys(metadata);
  return metadata;
}

function assertFew(what: string, entries: unknown): void {
  const count = entries instanceof Object ? Object.keys(entries).length : 0;
  if (count > MAX_ENTRIES)
    throw new RepositoryError(`${count} ${what}, where at most ${MAX_ENTRIES} are read`);
}

/** Targets count only under a timestamp and the very snapshot it names, neither expired. */
function assertFinal({ timestamp, snapshot }: TrustedMetadataStore, now: Date): void {
  if (timestamp === undefined || snapshot === undefined)
    throw new RepositoryError('targets before a snapshot');
  for (const { signed } of [timestamp, snapshot]) {
    if (signed.isExpired(now)) throw new ExpiredMetadataError(`${signed.type} has expired`);
  }
  if (snapshot.signed.version !== timestamp.signed.snapshotMeta.version) {
    throw new BadVersionError('the snapshot is not the one that the timestamp names');
  }
}

/** For checks that tuf-js makes again later, such as of a role that two others lead to. */
function countDistinctKeys(metadata: Metadata<Root> | Metadata<Targets>): void {
  const { signed } = metadata;
  metadata.verifyDelegate = (role, delegate) => assertThreshold(signed, role, envelopeOf(delegate));
}
