// Is it worth beginning? Disk before the first byte, and all that the contract asks for once it is known
// (after a restart, or when the release lies here already).

import { hardEvidence } from '../../domain/hard-evidence.ts';
import { roomForManifest, roomForRelease } from '../../domain/room.ts';
import type { Step, StepResult } from './step.ts';

export const preflight: Step = async ({ deployment, deps }) => {
  const snapshot = await deps.probe.snapshot();
  const { manifest } = deployment;
  const room =
    manifest === null ? roomForManifest(snapshot) : roomForRelease(manifest, deps.profile, snapshot);
  return roomResult(room, deps.clock.nowMs(), { event: 'preflight-passed' });
};

/** A failed preflight for too little room, else what is given. */
export function roomResult(
  room: { enough: boolean; summary: string },
  atMs: number,
  otherwise: StepResult,
): StepResult {
  if (room.enough) return otherwise;
  const evidence = [hardEvidence('preflight', 'fail', room.summary, atMs)];
  return { event: 'fail', reason: 'preflight-failed', detail: room.summary, evidence };
}
