// The journal's state as a value: how it begins, and what holds of every one that is written.

import type { BlobRef } from '#protocol/identifiers.ts';
import type { InstalledRelease, JournalState, SlotName } from '../ports/journal.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';

export const JOURNAL_SCHEMA = 'holdfast.journal/v1';

export function emptyJournal(): JournalState {
  return {
    schema: JOURNAL_SCHEMA,
    profile: null,
    bootCount: 0,
    boot: 'none',
    nextOutboxSeq: 1,
    highestSeq: 0,
    slots: { a: null, b: null },
    active: null,
    previous: null,
    deployment: null,
    quarantined: [],
    outbox: [],
  };
}

export function otherSlot(slot: SlotName): SlotName {
  return slot === 'a' ? 'b' : 'a';
}

/** Where a candidate goes: never into the slot that serves. */
export function candidateSlot(state: JournalState): SlotName {
  return state.active === null ? 'a' : otherSlot(state.active);
}

export function activeRelease(state: JournalState): InstalledRelease | null {
  return state.active === null ? null : state.slots[state.active];
}

export function previousRelease(state: JournalState): InstalledRelease | null {
  return state.previous === null ? null : state.slots[state.previous];
}

/** What is broken in a state, or null. Checked on reading a file and by the property tests. */
export function brokenInvariant(state: JournalState): string | null {
  if (state.active !== null && state.slots[state.active] === null) return 'the active slot is empty';
  if (state.previous !== null && state.slots[state.previous] === null) return 'the previous slot is empty';
  if (state.previous !== null && state.previous === state.active) return 'active and previous are one slot';
  if (state.previous !== null && state.active === null) return 'a previous slot without an active one';
  const seqs = state.outbox.filter((entry) => entry.boot === state.boot).map((entry) => entry.seq);
  if (seqs.some((seq, index) => seq <= (seqs[index - 1] ?? 0))) return 'outbox numbers do not rise';
  if ((seqs.at(-1) ?? 0) >= state.nextOutboxSeq) return 'an outbox number would be used twice';
  return null;
}

/** Digests that must stay on disk: both slots and the deployment in hand. */
export function neededDigests(state: JournalState): Set<string> {
  const { slots, deployment } = state;
  const manifests = [slots.a?.manifest, slots.b?.manifest, deployment?.manifest];
  return new Set([
    ...manifests.flatMap((manifest) =>
      manifest ? [manifest.variant.weights.sha256, manifest.contract.golden.sha256] : [],
    ),
    ...[slots.a?.manifestBlob, slots.b?.manifestBlob].flatMap((blob) => (blob ? [blob.sha256] : [])),
    ...(deployment?.order ? digestsOf(deployment.order) : []),
  ]);
}

function digestsOf({ manifestSha256, authorSignature }: VerifiedOrder): string[] {
  return authorSignature === null ? [manifestSha256] : [manifestSha256, authorSignature.bundle.sha256];
}

/** The manifest as a blob; its bytes are the signed target. */
export function manifestBlobOf(order: VerifiedOrder): BlobRef {
  return { sha256: order.manifestSha256, sizeBytes: order.manifestLengthBytes };
}
