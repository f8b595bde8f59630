// The Director: per device one repository under one root, saying what that device should run. Invariants:
// every role names its device (metadata of one is worthless to another); an order's seq only rises.
// Source: TUF 1.0; Uptane Standard 2.1, section 5.3 (Director repository).

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { decodeDirectorCustom, encodeDirectorCustom } from '#protocol/director-custom.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { deviceIdSchema, sha256Schema } from '#protocol/identifiers.ts';
import { isMeasureTargetPath } from '#protocol/measurement.ts';
import { directorCustomSchema } from '#protocol/release.ts';
import type { DirectorCustom } from '#protocol/release.ts';
import { directoryExists, makeDirectoryDurably, readFileIfPresent } from './durable-files.ts';
import type { KeyStore } from './key-store.ts';
import { MetadataRepository } from './metadata-repository.ts';
import { openRoot } from './root-metadata.ts';
import type { OpenedRoot } from './root-metadata.ts';
import type { TargetEntry, TargetsContent } from './signed-metadata.ts';

const DAY_MS = 86_400_000;
const LIFETIMES = { targetsMs: DAY_MS, snapshotMs: DAY_MS, timestampMs: DAY_MS };
const ROOT_FILE = /^[1-9][0-9]{0,8}\.root\.json$/;

export interface DirectorOrder {
  readonly targetPath: string;
  /** Of the release manifest, as the Image repository signed it. */
  readonly length: number;
  readonly sha256: string;
  readonly custom: DirectorCustom;
}

export class DirectorRepository {
  readonly #directory: string;
  readonly #root: OpenedRoot;
  readonly #now: () => Date;
  readonly #devices = new Map<string, Promise<MetadataRepository>>();

  private constructor(directory: string, root: OpenedRoot, now: () => Date) {
    this.#directory = directory;
    this.#root = root;
    this.#now = now;
  }

  static async open(options: {
    directory: string;
    keyStore: KeyStore;
    now: () => Date;
  }): Promise<DirectorRepository> {
    const { directory, keyStore, now } = options;
    await makeDirectoryDurably(join(directory, 'devices'));
    return new DirectorRepository(
      directory,
      await openRoot({ directory, keyStore, prefix: 'director', now }),
      now,
    );
  }

  /** The newest root metadata, given to devices when they enrol. */
  get trustedRoot(): string {
    return this.#root.bytes.toString('utf8');
  }

  /** Signs "no order yet" for a device that has no metadata; called when it enrols. */
  async ensureDevice(deviceId: string): Promise<void> {
    await this.#device(deviceId);
  }

  /** Orders a release. The same order again changes nothing; a lower seq, or the same with other content, is `conflict`. */
  async setOrder(deviceId: string, order: DirectorOrder): Promise<void> {
    const entry = orderEntry(deviceId, order);
    const device = await this.#device(deviceId);
    await device.publish((content) => {
      const present = presentOrder(content);
      if (present === null || order.custom.seq > present.custom.seq) {
        return { ...content, targets: new Map([[order.targetPath, entry]]) };
      }
      if (isDeepStrictEqual(content.targets.get(order.targetPath), entry)) return null;
      throw new HoldfastError(
        'conflict',
        `order ${order.custom.seq} for ${deviceId} does not follow ${present.custom.seq}`,
        {
          hint: 'Give a new order a higher seq; a rollback is a new order too.',
        },
      );
    });
  }

  /** The order in force; null when the device has none. */
  async currentOrder(deviceId: string): Promise<DirectorOrder | null> {
    if (!(await this.#isKnown(deviceId))) return null;
    return presentOrder((await this.#device(deviceId)).content);
  }

  /** Signs anew the metadata of each device that has less than half a day left at `now`; resolves to how many. */
  async resignExpiring(now: Date = this.#now()): Promise<number> {
    const failures: unknown[] = [];
    let count = 0;
    for (const deviceId of await readdir(join(this.#directory, 'devices'))) {
      try {
        if (await (await this.#device(deviceId)).resign(now)) count += 1;
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0)
      throw new AggregateError(failures, `${failures.length} devices could not be signed anew`);
    return count;
  }

  /** Bytes of a device's metadata file by its exact name; null for every other name or device. */
  async readDirectorFile(deviceId: string, name: string): Promise<Buffer | null> {
    if (!(await this.#isKnown(deviceId))) return null;
    if (!ROOT_FILE.test(name)) return await (await this.#device(deviceId)).read(name);
    return await readFileIfPresent(join(this.#directory, name));
  }

  async #isKnown(deviceId: string): Promise<boolean> {
    if (!deviceIdSchema.safeParse(deviceId).success) return false;
    return this.#devices.has(deviceId) || (await directoryExists(join(this.#directory, 'devices', deviceId)));
  }

  #device(deviceId: string): Promise<MetadataRepository> {
    const opened = this.#devices.get(deviceId);
    if (opened !== undefined) return opened;
    const opening = MetadataRepository.open({
      directory: join(this.#directory, 'devices', deviceIdSchema.parse(deviceId)),
      keys: this.#root.keys,
      lifetimes: LIFETIMES,
      stamp: { deviceId },
      now: this.#now,
    });
    this.#devices.set(deviceId, opening);
    opening.catch(() => this.#devices.delete(deviceId));
    return opening;
  }
}

function orderEntry(deviceId: string, { targetPath, length, sha256, custom }: DirectorOrder): TargetEntry {
  if (custom.deviceId !== deviceId) {
    throw new HoldfastError('bad-request', `an order for ${custom.deviceId} cannot be given to ${deviceId}`);
  }
  if (isMeasureTargetPath(targetPath)) {
    throw new HoldfastError(
      'bad-request',
      `${targetPath} is there to be timed, not to be run by ${deviceId}`,
      {
        hint: 'Order a release: a variant that was signed.',
      },
    );
  }
  const checked = directorCustomSchema.safeParse(custom);
  if (!checked.success) {
    throw new HoldfastError('bad-request', `the order for ${deviceId} is not well formed`, {
      cause: checked.error,
    });
  }
  if (
    targetPath === '' ||
    !Number.isSafeInteger(length) ||
    length < 0 ||
    !sha256Schema.safeParse(sha256).success
  ) {
    throw new HoldfastError('bad-request', `the order for ${deviceId} has no usable path, length and sha256`);
  }
  return { length, hashes: { sha256 }, custom: { ...encodeDirectorCustom(checked.data) } };
}

function presentOrder(content: TargetsContent): DirectorOrder | null {
  const [only] = content.targets;
  if (only === undefined) return null;
  const [targetPath, { length, hashes, custom }] = only;
  return { targetPath, length, sha256: hashes.sha256, custom: decodeDirectorCustom(custom) };
}
