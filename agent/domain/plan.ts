// What should be running, said from the journal alone, so that a start, a roll back and a new order all
// come to it the same way.

import type { DeploymentState } from '#protocol/deployment.ts';
import type { InstalledRelease, JournalState, SlotName } from '../ports/journal.ts';
import { isOpen } from './deployment-journal.ts';

export interface Placed {
  readonly slot: SlotName;
  readonly installed: InstalledRelease;
}

export interface Plan {
  /** What must answer requests; null when nothing was ever put in service. */
  readonly serve: Placed | null;
  /** What is kept warm to go back to; null outside probation. */
  readonly standby: Placed | null;
  /** A candidate's process may live: the deployment is loading, tried, or being put in service. */
  readonly candidate: boolean;
  /** The step to carry out; null when no deployment is open. */
  readonly step: { readonly seq: number; readonly state: DeploymentState } | null;
}

const WITH_CANDIDATE: ReadonlySet<DeploymentState> = new Set(['loading', 'golden', 'shadow', 'activating']);

export function planOf(state: JournalState): Plan {
  const report = isOpen(state.deployment) ? state.deployment.report : null;
  return {
    serve: placed(state, state.active),
    standby: report?.state === 'probation' ? placed(state, state.previous) : null,
    candidate: report !== null && WITH_CANDIDATE.has(report.state),
    step: report === null ? null : { seq: report.seq, state: report.state },
  };
}

function placed(state: JournalState, slot: SlotName | null): Placed | null {
  const installed = slot === null ? null : state.slots[slot];
  return slot === null || installed === null ? null : { slot, installed };
}
