// What an agent must not forget, written durably before it acts on it. Invariant: a reader sees the last
// whole state or the one before it, never a torn one.

import type { BlobRef } from '#protocol/identifiers.ts';
import type { DeploymentReport, EventBody, RunningRelease, TelemetryBody } from '#protocol/messages.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import type { VerifiedOrder } from './release-verifier.ts';

export type SlotName = 'a' | 'b';

/** A release that lies whole and verified on this device. */
export interface InstalledRelease {
  readonly manifest: ReleaseManifest;
  readonly manifestBlob: BlobRef;
  readonly running: RunningRelease;
}

export interface JournalDeployment {
  readonly report: DeploymentReport;
  /** Null while only the hint is known, in `notified`. */
  readonly order: VerifiedOrder | null;
  /** Null until the manifest is on disk. */
  readonly manifest: ReleaseManifest | null;
  /** Unix ms when the present state began. */
  readonly stateSinceMs: number;
}

export interface OutboxEntry {
  readonly leaf: 'telemetry' | 'events';
  readonly boot: string;
  readonly seq: number;
  readonly body: TelemetryBody | EventBody;
}

export interface JournalState {
  readonly schema: 'holdfast.journal/v1';
  /** The device class this agent was enrolled as; null before its first start was through. */
  readonly profile: string | null;
  readonly bootCount: number;
  /** Names this run of the agent; outbox entries of it count from 1. */
  readonly boot: string;
  readonly nextOutboxSeq: number;
  /** Highest order number ever accepted from the Director. */
  readonly highestSeq: number;
  readonly slots: Readonly<Record<SlotName, InstalledRelease | null>>;
  /** The pointer: which slot serves. */
  readonly active: SlotName | null;
  readonly previous: SlotName | null;
  readonly deployment: JournalDeployment | null;
  /** Weights that crashed too often, by sha256. */
  readonly quarantined: readonly string[];
  /** What the control plane has not acknowledged, oldest first. */
  readonly outbox: readonly OutboxEntry[];
}

export interface Journal extends AsyncDisposable {
  readonly state: JournalState;
  /** Applies and resolves once the new state is on disk. Calls are carried out one after another. */
  update(change: (state: JournalState) => JournalState): Promise<JournalState>;
}
