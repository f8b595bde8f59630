// One candidate timed on this device: proven, fetched into a folder of its own, run in a process of its own
// beside what serves. Invariants: nothing runs that was not signed to be timed here; whatever happens, the
// process is gone and the folder empty when this settles.

import { readFile } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { MeasureCommand, MeasuredTiming, MeasurementManifest } from '#protocol/measurement.ts';
import type { DeviceProfile } from '#protocol/profile.ts';
import { readMeasurement } from '../domain/measurement-manifest.ts';
import { roomForRelease } from '../domain/room.ts';
import type { ArtifactSource } from '../ports/artifact-source.ts';
import type { Logger } from '../ports/logger.ts';
import type { MeasurementVerifier } from '../ports/measurement-verifier.ts';
import type { LoadRequest, Runtime } from '../ports/runtime.ts';
import type { SystemProbe } from '../ports/system-probe.ts';

const WARM_UP_ROUNDS = 5;
/** What serves has to put up with this much at most, ms. */
const RUNS_LIMIT_MS = 30_000;

export interface CandidateDeps {
  /** Holds nothing but what is being timed. */
  readonly candidates: ArtifactSource;
  readonly verifier: MeasurementVerifier;
  readonly runtime: Runtime;
  readonly probe: SystemProbe;
  readonly profile: DeviceProfile;
  readonly logger: Logger;
}

/**
 * Errors: the signal's reason once it is aborted; those of the verifier, of downloads and of the worker;
 * `unavailable` when there is no room.
 */
export async function measureCandidate(
  deps: CandidateDeps,
  command: MeasureCommand,
  signal: AbortSignal,
): Promise<MeasuredTiming> {
  try {
    const load = await fetchCandidate(deps, command, signal);
    return await timeIn(deps, load, command.runs, signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    await deps.candidates.keepOnly(new Set());
  }
}

async function fetchCandidate(
  { candidates, verifier, probe, profile }: CandidateDeps,
  { targetPath, manifest: asked }: MeasureCommand,
  signal: AbortSignal,
): Promise<LoadRequest & { readonly goldenPath: string }> {
  const signed = await verifier.verifyMeasurement(targetPath, signal);
  if (!isSameBlob(signed, asked)) {
    throw new HoldfastError(
      'tuf-mismatch',
      `the request names other bytes for ${targetPath} than were signed`,
    );
  }
  const bytes = await readFile(await candidates.fetch(signed, { signal }));
  const { sha256 } = signed;
  const manifest = readMeasurement(bytes, { targetPath, sha256, profile: profile.name });
  const { weights, contract }: MeasurementManifest = manifest;
  const room = roomForRelease({ contract, variant: { weights } }, profile, await probe.snapshot());
  if (!room.enough) throw new HoldfastError('unavailable', `no room to time it: ${room.summary}`);
  return {
    weightsPath: await candidates.fetch(weights, { signal }),
    goldenPath: await candidates.fetch(contract.golden, { signal }),
    contract,
    profile,
  };
}

async function timeIn(
  { runtime, logger }: CandidateDeps,
  load: LoadRequest & { readonly goldenPath: string },
  runs: number,
  signal: AbortSignal,
): Promise<MeasuredTiming> {
  signal.throwIfAborted();
  await using worker = await runtime.spawn('measure');
  const kill = (): void => worker.kill();
  signal.addEventListener('abort', kill, { once: true });
  try {
    signal.throwIfAborted();
    const { executionProvider } = await worker.load(load);
    await worker.warmUp(WARM_UP_ROUNDS);
    const timing = await worker.time({ goldenPath: load.goldenPath, runs, limitMs: RUNS_LIMIT_MS });
    logger.info('a candidate was timed beside what serves', { executionProvider, ...timing });
    return timing;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

function isSameBlob(a: BlobRef, b: BlobRef): boolean {
  return a.sha256 === b.sha256 && a.sizeBytes === b.sizeBytes;
}
