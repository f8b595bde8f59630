// What an agent must not forget, written durably before it acts on it. Invariant: a reader sees the last
// whole state or the one before it, never a torn one.

import type { DeploymentReport, EventBody, RunningRelease, TelemetryBody } from '#protocol/messages.ts';
import type { DeploymentPolicy, ReleaseManifest } from '#protocol/release.ts';

export type SlotName = 'a' | 'b';

/** A release that lies whole and verified on this device. */
export interface InstalledRelease {
  readonly manifest: ReleaseManifest;
  readonly manifestSha256: string;
  readonly weightsPath: string;
  readonly goldenPath: string;
  readonly running: RunningRelease;
}

export interface JournalDeployment {
  readonly report: DeploymentReport;
  readonly policy: DeploymentPolicy;
  readonly targetPath: string;
  readonly manifestSha256: string;
  readonly releaseCounter: number;
  /** Null until the manifest is on disk. */
  readonly manifest: ReleaseManifest | null;
  readonly slot: SlotName;
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
  readonly bootCount: number;
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
