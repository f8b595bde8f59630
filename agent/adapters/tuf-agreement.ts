// Uptane's full verification: what the Director orders must be what the Image repository signed, for this
// very device. Pure. Source: Uptane Standard 2.1, section 5.4.4.2.

import type { TargetFile, Targets } from '@tufjs/models';
import { z } from 'zod';
import { decodeDirectorCustom } from '#protocol/director-custom.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { ErrorCode } from '#protocol/errors.ts';
import { counterSchema, modelNameSchema, sha256Schema } from '#protocol/identifiers.ts';
import { imageCustomSchema } from '#protocol/release.ts';
import type { DirectorCustom } from '#protocol/release.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';

const TARGET_PATH = /^([^/]{1,63})\/[1-9][0-9]{0,9}\/([^/]{1,63})\.json$/;
const imageFieldsSchema = z.object({ floors: z.record(modelNameSchema, counterSchema).default({}) });

export interface Device {
  readonly deviceId: string;
  readonly profile: string;
}

export interface DirectorTarget {
  readonly target: TargetFile;
  readonly order: DirectorCustom;
}

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
  const order = readCustom('Director', () => decodeDirectorCustom(target.custom));
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
  return { target, order };
}

/** Holds an order against what the Image repository says of the same path. */
export function agree(
  ordered: DirectorTarget,
  image: TargetFile | undefined,
  imageTargets: Targets,
): VerifiedOrder {
  const { target, order } = ordered;
  const { path } = target;
  const [, model, profile] = TARGET_PATH.exec(path) ?? [];
  if (model === undefined || profile !== order.profile) {
    throw refused('tuf-mismatch', `${path} is no release for profile ${order.profile}`);
  }
  if (image === undefined)
    throw refused('tuf-mismatch', `the Director orders ${path}, which no author signed`);
  const sha256 = sha256Schema.safeParse(image.hashes.sha256);
  if (!sha256.success || image.length !== target.length || !haveSameHashes(image, target)) {
    throw refused('tuf-mismatch', `Director and Image repository name different bytes for ${path}`);
  }
  const signed = readCustom('Image', () => imageCustomSchema.parse(image.custom));
  if (signed.profile !== order.profile || signed.releaseCounter !== order.releaseCounter) {
    throw refused(
      'tuf-mismatch',
      `Director and Image repository disagree on profile or release counter of ${path}`,
    );
  }
  const floor = floorOf(imageTargets, model);
  if (order.releaseCounter < floor) {
    throw refused(
      'tuf-below-floor',
      `release ${order.releaseCounter} of ${model} is below the signed floor ${floor}`,
    );
  }
  return { targetPath: path, manifestSha256: sha256.data, manifestLengthBytes: image.length, order, floor };
}

/** The same algorithms with the same digests on both sides. */
function haveSameHashes(a: TargetFile, b: TargetFile): boolean {
  const names = new Set([...Object.keys(a.hashes), ...Object.keys(b.hashes)]);
  return [...names].every((name) => a.hashes[name] === b.hashes[name]);
}

function floorOf(imageTargets: Targets, model: string): number {
  const { floors } = readCustom('Image', () =>
    imageFieldsSchema.parse(imageTargets.unrecognizedFields.holdfast ?? {}),
  );
  return Object.hasOwn(floors, model) ? (floors[model] ?? 0) : 0;
}

function readCustom<T>(repository: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw refused(
      'tuf-mismatch',
      `what the ${repository} repository says cannot be read by this agent`,
      cause,
    );
  }
}

function refused(code: ErrorCode, message: string, cause?: unknown): HoldfastError {
  return new HoldfastError(code, message, {
    hint: 'Nothing is installed; look at what the control plane signed.',
    cause,
  });
}
