// The Image repository: what may exist, signed. Invariants: a target path never changes its bytes; a release
// never goes away, a measurement target may; the floor of a model only rises; one publish at a time, and a
// reader sees a publish whole or not at all.
// Source: TUF 1.0; Uptane Standard 2.1, section 5.4 (Image repository).

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { HoldfastError } from '#protocol/errors.ts';
import { modelNameSchema, sha256Schema } from '#protocol/identifiers.ts';
import { isMeasureTargetPath, measureCustomSchema, type MeasureCustom } from '#protocol/measurement.ts';
import { imageCustomSchema } from '#protocol/release.ts';
import type { ImageCustom } from '#protocol/release.ts';
import { makeDirectoryDurably } from './durable-files.ts';
import type { KeyStore } from './key-store.ts';
import { MetadataRepository } from './metadata-repository.ts';
import { openRoot } from './root-metadata.ts';
import type { TargetEntry, TargetsContent } from './signed-metadata.ts';

const DAY_MS = 86_400_000;
const LIFETIMES = { targetsMs: 365 * DAY_MS, snapshotMs: 30 * DAY_MS, timestampMs: 7 * DAY_MS };
const TARGET_PATH = /^[a-z0-9][a-z0-9._-]{0,127}(?:\/[a-z0-9][a-z0-9._-]{0,127}){1,7}$/;

/** A release, or under `<model>/<version>/candidates/` what devices may time and never serve. */
export type NewTarget = { readonly path: string; readonly custom: ImageCustom | MeasureCustom } & (
  | { readonly bytes: Uint8Array }
  | { readonly length: number; readonly sha256: string }
);

export class ImageRepository {
  readonly #metadata: MetadataRepository;
  readonly #now: () => Date;
  /** The newest root metadata, given to devices when they enrol. */
  readonly trustedRoot: string;

  private constructor(metadata: MetadataRepository, trustedRoot: string, now: () => Date) {
    this.#metadata = metadata;
    this.#now = now;
    this.trustedRoot = trustedRoot;
  }

  static async open(options: {
    directory: string;
    keyStore: KeyStore;
    now: () => Date;
  }): Promise<ImageRepository> {
    const { directory, keyStore, now } = options;
    await makeDirectoryDurably(directory);
    const root = await openRoot({ directory, keyStore, prefix: 'image', now });
    const metadata = await MetadataRepository.open({
      directory,
      keys: root.keys,
      lifetimes: LIFETIMES,
      stamp: {},
      now,
    });
    return new ImageRepository(metadata, root.bytes.toString('utf8'), now);
  }

  /** Publishes a target. The same again changes nothing; other bytes under a path are `version-exists`. */
  async addTarget(target: NewTarget): Promise<void> {
    const entry = targetEntry(target);
    await this.#metadata.publish((content) => {
      const present = content.targets.get(target.path);
      if (present === undefined)
        return { ...content, targets: new Map(content.targets).set(target.path, entry) };
      if (isDeepStrictEqual(present, entry)) return null;
      throw new HoldfastError('version-exists', `${target.path} is signed already, with other bytes`, {
        hint: 'Signed targets never change; make a new version.',
      });
    });
  }

  /** Takes measurement targets away, all of them or the one named; a release never goes. Answers their digests. */
  async withdrawMeasurements(only?: string): Promise<string[]> {
    const withdrawn: string[] = [];
    await this.#metadata.publish((content) => {
      const kept = new Map(content.targets);
      for (const [path, { hashes }] of content.targets) {
        if (!isMeasureTargetPath(path) || (only !== undefined && path !== only)) continue;
        kept.delete(path);
        withdrawn.push(hashes.sha256);
      }
      return withdrawn.length === 0 ? null : { ...content, targets: kept };
    });
    return withdrawn;
  }

  /** Lowest release counter of the model that devices still accept; 0 when none was signed. */
  floor(model: string): number {
    return floors(this.#metadata.content).get(model) ?? 0;
  }

  /** Raises the floor of a model. Errors: `conflict` for a lower one, `not-found` above every signed release. */
  async setFloor(model: string, releaseCounter: number): Promise<void> {
    modelNameSchema.parse(model);
    await this.#metadata.publish((content) => {
      const present = floors(content).get(model) ?? 0;
      if (present === releaseCounter) return null;
      if (releaseCounter < present) {
        throw new HoldfastError(
          'conflict',
          `the floor of ${model} is ${present}; it cannot go down to ${releaseCounter}`,
          {
            hint: 'Sign a new version of the model with a higher release counter.',
          },
        );
      }
      if (releaseCounter > highestCounter(content, model)) {
        throw new HoldfastError(
          'not-found',
          `no signed release of ${model} has a counter of ${releaseCounter} or more`,
          {
            hint: 'Choose the counter of a signed release, or no device could run the model.',
          },
        );
      }
      const raised = new Map(floors(content)).set(model, releaseCounter);
      return { ...content, extra: { ...content.extra, floors: Object.fromEntries(raised) } };
    });
  }

  target(path: string): TargetEntry | undefined {
    return this.#metadata.content.targets.get(path);
  }

  /** Signs anew what has less than half of its life left; true when there was something. */
  resign(now: Date = this.#now()): Promise<boolean> {
    return this.#metadata.resign(now);
  }

  /** Bytes of a metadata file by its exact name; null for every other name. */
  readImageFile(name: string): Promise<Buffer | null> {
    return this.#metadata.read(name);
  }
}

function targetEntry(target: NewTarget): TargetEntry {
  if (!TARGET_PATH.test(target.path)) {
    throw new HoldfastError('bad-request', `${target.path} is no target path`, {
      hint: 'Use <model>/<version>/<profile>.json.',
    });
  }
  const { length, sha256 } =
    'bytes' in target
      ? { length: target.bytes.length, sha256: createHash('sha256').update(target.bytes).digest('hex') }
      : target;
  if (!Number.isSafeInteger(length) || length < 0 || !sha256Schema.safeParse(sha256).success) {
    throw new HoldfastError('bad-request', `${target.path} has no usable length and sha256`);
  }
  const isMeasurement = isMeasureTargetPath(target.path);
  const custom = (isMeasurement ? measureCustomSchema : imageCustomSchema).safeParse(target.custom);
  if (!custom.success) {
    const missing = isMeasurement ? 'purpose to measure' : 'release counter';
    throw new HoldfastError('bad-request', `${target.path} has no usable profile and ${missing}`, {
      cause: custom.error,
    });
  }
  return { length, hashes: { sha256 }, custom: custom.data };
}

function floors(content: TargetsContent): ReadonlyMap<string, number> {
  return new Map(Object.entries((content.extra.floors ?? {}) as Record<string, number>));
}

function highestCounter(content: TargetsContent, model: string): number {
  let highest = 0;
  for (const [path, { custom }] of content.targets) {
    if (path.startsWith(`${model}/`) && !isMeasureTargetPath(path))
      highest = Math.max(highest, imageCustomSchema.parse(custom).releaseCounter);
  }
  return highest;
}
