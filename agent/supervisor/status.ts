// What a person beside the device is shown, in one value: the local API answers it and the page draws it.

import { sketchQuantile } from '#protocol/latency-sketch.ts';
import type { DeploymentReport, RunningRelease } from '#protocol/messages.ts';
import type { SystemSnapshot } from '../ports/system-probe.ts';
import type { ServiceTotals } from './telemetry.ts';

export interface AgentStatus {
  readonly deviceId: string;
  readonly fleet: string;
  readonly profile: string;
  readonly agentVersion: string;
  readonly nowMs: number;
  readonly startedAtMs: number;
  /** `sinceMs`: when the connection last came or went. */
  readonly controlPlane: { readonly connected: boolean; readonly sinceMs: number };
  /** What answers requests right now; null while nothing is loaded. */
  readonly serving: RunningRelease | null;
  readonly active: RunningRelease | null;
  /** What a roll back would put in service. */
  readonly previous: RunningRelease | null;
  readonly deployment: DeploymentReport | null;
  readonly quarantined: readonly string[];
  /** Messages that the control plane has not acknowledged. */
  readonly waitingMessages: number;
  /** Since this start of the agent; latencies are of the release in service. */
  readonly service: ServiceNumbers;
  readonly system: SystemSnapshot;
}

export interface ServiceNumbers {
  readonly requests: number;
  readonly errors: number;
  readonly rejected: number;
  readonly labelled: number;
  readonly correct: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

export function serviceNumbers({ latency, ...counts }: ServiceTotals): ServiceNumbers {
  return {
    ...counts,
    p50Ms: sketchQuantile(latency, 0.5),
    p95Ms: sketchQuantile(latency, 0.95),
    p99Ms: sketchQuantile(latency, 0.99),
  };
}
