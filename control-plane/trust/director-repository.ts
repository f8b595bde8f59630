// The Director: per device one repository under one root, saying what that device should run. Invariants:
// every role names its device (metadata of one is worthless to another); an order's seq only rises.
// Source: TUF 1.0; Uptane Standard 2.1, section 5.3 (Director repository).

import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { decodeDirectorCustom, encodeDirectorCustom } from '#protocol/director-custom.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { deviceIdSchema, sha256Schema } from '#protocol/identifiers.ts';
import { isMeasureTargetPath } from '#protocol/measurement.ts';
import { directorCustomSchema } from '#protocol/release.ts';
import type { DirectorCustom } from '#protocol/release.ts';
import { DeviceMetadata, type Orders } from './device-metadata.ts';
import { DirectorRoles } from './director-roles.ts';
import type { TargetEntry } from './documents.ts';
import { directoryExists, makeDirectoryDurably, readFileIfPresent, syncDirectory } from './durable-files.ts';
import type { KeyStore } from './keys/key-store.ts';

const DAY_MS = 86_400_000;
/** Folders of removed devices lie here until they are deleted: half of one would read as damage. */
const REMOVED = 'removed';
const ROOT_FILE = /^[1-9][0-9]{0,8}\.root\.json$/;

export interface DirectorOrder {
  readonly targetPath: string;
  /** Of the release manifest, as the Image repository signed it. */
  readonly length: number;
  readonly sha256: string;
  readonly custom: DirectorCustom;
}

export class DirectorRepository {
  readonly roles: DirectorRoles;
  readonly #directory: string;
  readonly #now: () => Date;
  readonly #devices = new Map<string, Promise<DeviceMetadata>>();

  private constructor(directory: string, roles: DirectorRoles, now: () => Date) {
    this.#directory = directory;
    this.roles = roles;
    this.#now = now;
    roles.onRoot = () => this.resignExpiring();
  }

  static async open(options: {
    directory: string;
    keyStore: KeyStore;
    now: () => Date;
  }): Promise<DirectorRepository> {
    const { directory, now } = options;
    await makeDirectoryDurably(join(directory, 'devices'));
    await rm(join(directory, REMOVED), { recursive: true, force: true });
    return new DirectorRepository(directory, await DirectorRoles.open(options), now);
  }

  /** The newest root metadata, given to devices when they enrol. */
  get trustedRoot(): string {
    return this.roles.state.root.bytes.toString('utf8');
  }

  /** Of all devices the highest version and the earliest expiry; a day from now when there is none. */
  async online(): Promise<{ readonly version: number; readonly expiresAtMs: number }> {
    const devices = await Promise.allSettled(this.#devices.values());
    const online = devices
      .map((device) => (device.status === 'fulfilled' ? device.value.online : null))
      .filter((of) => of !== null);
    return {
      version: Math.max(1, ...online.map(({ version }) => version)),
      expiresAtMs: Math.min(this.#now().getTime() + DAY_MS, ...online.map(({ expiresAtMs }) => expiresAtMs)),
    };
  }

  /** Signs "no order yet" for a device that has no metadata; called when it enrols. */
  async ensureDevice(deviceId: string): Promise<void> {
    await this.#device(deviceId);
  }

  /** Orders a release. The same order again changes nothing; a lower seq, or the same with other content, is `conflict`. */
  async setOrder(deviceId: string, order: DirectorOrder): Promise<void> {
    const entry = orderEntry(deviceId, order);
    const device = await this.#device(deviceId);
    await device.publish((orders) => {
      const present = presentOrder(orders);
      if (present === null || order.custom.seq > present.custom.seq) return { [order.targetPath]: entry };
      if (isDeepStrictEqual(orders[order.targetPath], entry)) return null;
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
    return presentOrder((await this.#device(deviceId)).orders);
  }

  /**
   * Signs anew the metadata of each device that has less than half a day left at `now`, or a key that was replaced;
   * resolves to how many.
   */
  async resignExpiring(now: Date = this.#now()): Promise<number> {
    const failures: unknown[] = [];
    let count = 0;
    for (const deviceId of await readdir(join(this.#directory, 'devices'))) {
      if (!(await this.#isKnown(deviceId))) continue;
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

  /** Deletes what was said to a device; nothing when there is no such device. */
  async removeDevice(deviceId: string): Promise<void> {
    if (!(await this.#isKnown(deviceId))) return;
    await (await this.#device(deviceId)).close();
    this.#devices.delete(deviceId);
    const removed = join(this.#directory, REMOVED);
    await makeDirectoryDurably(removed);
    await rename(join(this.#directory, 'devices', deviceId), join(removed, deviceId));
    await syncDirectory(join(this.#directory, 'devices'));
    await rm(removed, { recursive: true });
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

  #device(deviceId: string): Promise<DeviceMetadata> {
    const opened = this.#devices.get(deviceId);
    if (opened !== undefined) return opened;
    const opening = DeviceMetadata.open({
      directory: join(this.#directory, 'devices', deviceIdSchema.parse(deviceId)),
      deviceId,
      held: this.roles.held,
      roots: () => this.roles.roots,
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

function presentOrder(orders: Orders): DirectorOrder | null {
  const [only] = Object.entries(orders);
  if (only === undefined) return null;
  const [targetPath, { length, hashes, custom }] = only;
  return { targetPath, length, sha256: hashes.sha256, custom: decodeDirectorCustom(custom) };
}
