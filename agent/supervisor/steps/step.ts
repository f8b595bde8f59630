// What a step of a deployment gets and gives. A step acts on the world and says which event of the
// transition table follows; it never writes the deployment's state itself.

import type { DeploymentReason } from '#protocol/deployment.ts';
import { describeError, errorCodeOf } from '#protocol/errors.ts';
import type { Evidence, Gate } from '#protocol/evidence.ts';
import type { DeviceProfile } from '#protocol/profile.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import type { StepEvent } from '../../domain/happening.ts';
import { hardEvidence } from '../../domain/hard-evidence.ts';
import type { ArtifactSource } from '../../ports/artifact-source.ts';
import type { Clock } from '../../ports/clock.ts';
import type { JournalDeployment } from '../../ports/journal.ts';
import type { Logger } from '../../ports/logger.ts';
import type { VerifiedOrder } from '../../ports/release-verifier.ts';
import type { SystemProbe } from '../../ports/system-probe.ts';
import type { JournalKeeper } from '../journal-keeper.ts';
import type { Serving } from '../serving/serving.ts';
import type { ServingEvents } from '../serving-events.ts';
import type { Slots } from '../slots.ts';

/** Reads the manifest's bytes as the release the order names; throws what does not fit. */
export type ReadManifest = (bytes: Uint8Array, order: VerifiedOrder) => ReleaseManifest;

/** Holds the authors' signature against a manifest that was read; throws what does not fit. */
export type CheckAuthorSignature = (
  bundle: Uint8Array,
  manifest: ReleaseManifest,
  order: VerifiedOrder,
) => void;

export interface StepDeps {
  readonly keeper: JournalKeeper;
  readonly artifacts: ArtifactSource;
  readonly readManifest: ReadManifest;
  readonly checkAuthorSignature: CheckAuthorSignature;
  readonly slots: Slots;
  readonly serving: Serving;
  readonly servingEvents: ServingEvents;
  readonly probe: SystemProbe;
  readonly profile: DeviceProfile;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What last stood in the way of a signed order; null when nothing did. */
  readonly whyNoOrder: () => string | null;
}

export interface StepContext {
  readonly deployment: JournalDeployment;
  readonly deps: StepDeps;
  /** Aborted when the deployment moved on without this step, or the agent stops. */
  readonly signal: AbortSignal;
  readonly onProgress: (progressPct: number) => void;
}

export interface StepResult {
  readonly event: StepEvent;
  readonly reason?: DeploymentReason;
  readonly detail?: string;
  readonly evidence?: readonly Evidence[];
}

export type Step = (context: StepContext) => Promise<StepResult>;

/** A failure by an error: the reason where its code names one, else the step's own. */
export function failure(
  error: unknown,
  step: { readonly otherwise: DeploymentReason; readonly gate: Gate; readonly atMs: number },
): StepResult {
  const detail = describeError(error);
  const evidence = [hardEvidence(step.gate, 'fail', detail, step.atMs)];
  return { event: 'fail', reason: reasonOf(error) ?? step.otherwise, detail, evidence };
}

function reasonOf(error: unknown): DeploymentReason | null {
  switch (errorCodeOf(error)) {
    case 'digest-mismatch':
    case 'length-mismatch':
      return 'digest-mismatch';
    case 'download-failed':
      return 'download-failed';
    case 'disk-full':
      return 'preflight-failed';
    case 'worker-crashed':
    case 'worker-hung':
    case 'memory-short':
      return 'worker-crashed';
    case 'contract-invalid':
    case 'signature-invalid':
    case 'signature-missing':
    case 'tuf-mismatch':
      return 'metadata-refused';
    case 'model-load-failed':
    case 'provider-missing':
      return 'load-failed';
    default:
      return null;
  }
}

/** The manifest that an earlier step put in the journal. */
export function manifestOf({ deployment, deps }: StepContext): ReleaseManifest {
  const known = deps.keeper.state.deployment ?? deployment;
  if (known.manifest === null) throw new Error('this step needs a manifest that is on disk');
  return known.manifest;
}

/** The order that was verified before any step but `notified`. */
export function orderOf({ deployment }: StepContext): VerifiedOrder {
  if (deployment.order === null) throw new Error('this step needs a verified order');
  return deployment.order;
}
