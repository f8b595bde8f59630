// Uptane's full verification: what the Director orders must be what the Image repository signed, for this
// very device. Pure. Source: Uptane Standard 2.1, section 5.4.4.2.

import type { TargetFile, Targets } from '@tufjs/models';
import { decodeDirectorCustom } from '#protocol/director-custom.ts';
import { sha256Schema } from '#protocol/identifiers.ts';
import { imageCustomSchema } from '#protocol/release.ts';
import type { DirectorCustom } from '#protocol/release.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';
import { authorshipOf, signedRelease } from './tuf-authorship.ts';
import type { ImageWords, ReleaseName } from './tuf-authorship.ts';
import { belowFloor, mismatch, readSigned, refused } from './tuf-refusals.ts';

/** A manifest is read into memory whole; the largest contract has 100,000 labels of 200 characters. */
export const MAX_MANIFEST_BYTES = 64 * 1024 ** 2;

export interface Device {
  readonly deviceId: string;
  readonly profile: string;
}

export interface DirectorTarget {
  readonly target: TargetFile;
  readonly order: DirectorCustom;
}

/**
 * Orders are counted one by one. The bound keeps a thief of the Director's keys from using up the numbers, which would
 * outlive the rotation of those keys.
 */
const MAX_SEQ_STEP = 1_000_000;

/** The one target of the Director's targets, if it is for this device; null when it orders nothing. */
export function readDirectorOrder(
  targets: Targets,
  device: Device,
  highestSeq: number,
): DirectorTarget | null {
  const [target, ...others] = Object.values(targets.targets);
  if (target === undefined) return null;
  if (others.length > 0)
    throw refused('tuf-mismatch', `the Director orders ${others.length + 1} releases at once`);
  const order = readSigned('Director', () => decodeDirectorCustom(target.custom));
  if (order.deviceId !== device.deviceId) {
    throw refused('tuf-wrong-device', `the order is for ${order.deviceId}, not for ${device.deviceId}`);
  }
  if (order.profile !== device.profile) {
    throw refused('tuf-wrong-device', `the order is for profile ${order.profile}, not for ${device.profile}`);
  }
  if (order.seq < highestSeq) {
    throw refused(
      'tuf-rollback',
      `order ${order.seq} is older than order ${highestSeq}, which was accepted before`,
    );
  }
  if (order.seq > highestSeq + MAX_SEQ_STEP) {
    throw refused(
      'tuf-mismatch',
      `order ${order.seq} leaps far ahead of order ${highestSeq}, the last accepted`,
    );
  }
  return { target, order };
}

/** Holds an order against what the Image repository says of the same release. */
export function agree(
  { target, order }: DirectorTarget,
  name: ReleaseName,
  image: ImageWords,
): VerifiedOrder {
  const { path, model } = name;
  if (name.profile !== order.profile) throw mismatch(`${path} is no release for profile ${order.profile}`);
  const release = signedRelease(name, image);
  const { length, hashes } = release.target;
  const sha256 = sha256Schema.safeParse(hashes.sha256);
  if (!sha256.success || length !== target.length || !haveSameHashes(release.target, target)) {
    throw mismatch(`Director and Image repository name different bytes for ${path}`);
  }
  if (length > MAX_MANIFEST_BYTES) throw mismatch(`${path} is longer than ${MAX_MANIFEST_BYTES} bytes`);
  const signed = readSigned('Image', () => imageCustomSchema.parse(release.target.custom));
  if (signed.profile !== order.profile || signed.releaseCounter !== order.releaseCounter) {
    throw mismatch(`Director and Image repository disagree on profile or release counter of ${path}`);
  }
  const authorship = authorshipOf(name, release, image);
  if (order.releaseCounter < authorship.floor) {
    throw belowFloor(
      `release ${order.releaseCounter} of ${model} is below the signed floor ${authorship.floor}`,
    );
  }
  return { targetPath: path, manifestSha256: sha256.data, manifestLengthBytes: length, order, ...authorship };
}

/** The same algorithms with the same digests on both sides. */
function haveSameHashes(a: TargetFile, b: TargetFile): boolean {
  const names = new Set([...Object.keys(a.hashes), ...Object.keys(b.hashes)]);
  return [...names].every((name) => a.hashes[name] === b.hashes[name]);
}
