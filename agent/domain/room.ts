// Is there room for a release on this device? Pure. Memory is compared with what the contract declares,
// disk with what is still to be downloaded; the profile bounds the weights.

import type { DeviceProfile } from '#protocol/profile.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { bytesInWords } from './bytes-in-words.ts';
import type { SystemSnapshot } from '../ports/system-probe.ts';

/** Disk left free for the journal and the rest of the machine. */
export const DISK_RESERVE_BYTES = 64 * 1024 ** 2;

export interface Room {
  readonly enough: boolean;
  /** The numbers, for people. */
  readonly summary: string;
}

/** Before anything is known of the release: only that the disk is not full. */
export function roomForManifest(snapshot: SystemSnapshot): Room {
  const { diskFreeBytes, memoryAvailableBytes } = snapshot;
  if (diskFreeBytes < DISK_RESERVE_BYTES)
    return { enough: false, summary: diskFull(DISK_RESERVE_BYTES, diskFreeBytes) };
  return {
    enough: true,
    summary: `${bytesInWords(diskFreeBytes)} of disk and ${bytesInWords(memoryAvailableBytes)} of memory are free`,
  };
}

/** For a release, or for a candidate that is only timed. */
export function roomForRelease(
  manifest: { readonly contract: ModelContract; readonly variant: { readonly weights: BlobRef } },
  profile: DeviceProfile,
  snapshot: SystemSnapshot,
): Room {
  const weightsBytes = manifest.variant.weights.sizeBytes;
  const diskBytes = weightsBytes + manifest.contract.golden.sizeBytes + DISK_RESERVE_BYTES;
  const memoryBytes = manifest.contract.budgets.peakMemoryBytes;
  const shortfalls = [
    weightsBytes > profile.budgets.weightsBytes &&
      `weights of ${bytesInWords(weightsBytes)} are over the profile's ${bytesInWords(profile.budgets.weightsBytes)}`,
    diskBytes > snapshot.diskFreeBytes && diskFull(diskBytes, snapshot.diskFreeBytes),
    memoryBytes > snapshot.memoryAvailableBytes &&
      `the contract declares ${bytesInWords(memoryBytes)} of memory and ${bytesInWords(snapshot.memoryAvailableBytes)} are available`,
  ].filter((shortfall) => shortfall !== false);
  if (shortfalls.length > 0) return { enough: false, summary: shortfalls.join('; ') };
  return {
    enough: true,
    summary: `${bytesInWords(diskBytes)} of disk and ${bytesInWords(memoryBytes)} of memory are needed; ${bytesInWords(snapshot.diskFreeBytes)} and ${bytesInWords(snapshot.memoryAvailableBytes)} are there`,
  };
}

function diskFull(neededBytes: number, freeBytes: number): string {
  return `disk-full: ${bytesInWords(neededBytes)} of disk are needed and ${bytesInWords(freeBytes)} are free (free space on the disk of the data folder)`;
}
