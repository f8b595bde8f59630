// Everything that can change what an agent remembers, as data.

import type { DeploymentEvent, DeploymentReason, DeploymentState } from '#protocol/deployment.ts';
import type { ErrorCode } from '#protocol/errors.ts';
import type { Evidence } from '#protocol/evidence.ts';
import type { DesiredBody } from '#protocol/messages.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import type { InstalledRelease, JournalState } from '../ports/journal.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';

/** What a step may say; all other events are the rules' own. */
export type StepEvent = Exclude<
  DeploymentEvent,
  'notify' | 'order-verified' | 'already-serving' | 'restarted' | 'supersede' | 'cancel'
>;

export type Happening =
  /** The agent started; `boot` names this run. */
  | { readonly kind: 'boot'; readonly boot: string; readonly profile: string }
  /** The control plane says that there is an order; not proven. */
  | { readonly kind: 'hint'; readonly hint: DesiredBody }
  /** Both repositories agree on this order. */
  | { readonly kind: 'order'; readonly order: VerifiedOrder }
  /** A step of the deployment `seq` ended while it was in `state`. */
  | {
      readonly kind: 'step';
      readonly seq: number;
      readonly state: DeploymentState;
      readonly event: StepEvent;
      readonly reason?: DeploymentReason | undefined;
      readonly detail?: string | undefined;
      readonly evidence?: readonly Evidence[] | undefined;
    }
  /** The signed manifest is on disk. */
  | { readonly kind: 'manifest'; readonly seq: number; readonly manifest: ReleaseManifest }
  /** The commit point of an activation. */
  | { readonly kind: 'flip'; readonly seq: number; readonly installed: InstalledRelease }
  /** These weights crashed too often. */
  | { readonly kind: 'quarantined'; readonly sha256: string; readonly detail: string }
  /** The release in service cannot be brought up from disk. */
  | { readonly kind: 'unservable'; readonly detail: string }
  /** A person beside the device wants the version before. */
  | { readonly kind: 'local-rollback' };

export interface Reconciled {
  readonly state: JournalState;
  /** `deferred`: must be told again once the deployment in hand has moved on. */
  readonly verdict: 'applied' | 'ignored' | 'deferred' | Refusal;
}

export interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
}

export function isRefusal(verdict: Reconciled['verdict']): verdict is Refusal {
  return typeof verdict === 'object';
}
