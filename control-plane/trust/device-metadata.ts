// What the Director says to one device: targets with one order at most, snapshot and timestamp, all naming the device
// and signed with the Director's keys in force. One publish at a time.

import { HoldfastError } from '#protocol/errors.ts';
import {
  TUF_VERSION,
  authorityOf,
  utcSeconds,
  type RootDocument,
  type SignedFile,
  type TargetsDocument,
} from './documents.ts';
import type { HeldKeys } from './keys/held-keys.ts';
import type { RoleKey } from './keys/role-key.ts';
import { MetadataFiles, signWith } from './metadata-files.ts';
import { SerialQueue } from './serial-queue.ts';
import { isEnough } from './signatures.ts';

const DAY_MS = 86_400_000;
const LIFETIMES = { snapshotMs: DAY_MS, timestampMs: DAY_MS };
type DeviceRole = 'targets' | 'snapshot' | 'timestamp';

export type Orders = TargetsDocument['targets'];

export interface DeviceMetadataOptions {
  readonly directory: string;
  readonly deviceId: string;
  readonly held: HeldKeys;
  /** Every root so far, the newest last. */
  readonly roots: () => readonly RootDocument[];
  readonly now: () => Date;
}

export class DeviceMetadata {
  readonly #options: DeviceMetadataOptions;
  readonly #queue = new SerialQueue();
  readonly #files: MetadataFiles;
  #isClosed = false;

  private constructor(options: DeviceMetadataOptions, files: MetadataFiles) {
    this.#options = options;
    this.#files = files;
  }

  /** Opens or makes the device's metadata and mends a publish that was cut off. Errors: `state-corrupt`. */
  static async open(options: DeviceMetadataOptions): Promise<DeviceMetadata> {
    const { directory, deviceId, roots, now } = options;
    const stamp = { deviceId };
    const files = await MetadataFiles.open({ directory, stamp, lifetimes: LIFETIMES, now }, roots());
    const metadata = new DeviceMetadata(options, files);
    if (files.published === null) await metadata.#write({});
    return metadata;
  }

  get orders(): Orders {
    return this.#files.published?.roles.get('targets')?.signed.targets ?? {};
  }

  /** Version and expiry of the timestamp. */
  get online(): { readonly version: number; readonly expiresAtMs: number } | null {
    const signed = this.#files.published?.timestamp.signed;
    return signed === undefined ? null : { version: signed.version, expiresAtMs: Date.parse(signed.expires) };
  }

  /** Publishes what `change` makes of the present orders; null publishes nothing. */
  publish(change: (orders: Orders) => Orders | null): Promise<void> {
    return this.#queue.run(async () => {
      const next = change(this.orders);
      if (next !== null) await this.#write(next);
    });
  }

  /** Signs all anew when less than half of its life is left at `now` or a key was replaced; true when it did. */
  resign(now: Date): Promise<boolean> {
    return this.#queue.run(async () => {
      if (!this.#isDue(now)) return false;
      await this.#write(this.orders);
      return true;
    });
  }

  /** Resolves once what is under way is done; whatever is asked for afterwards is `not-found`. */
  close(): Promise<void> {
    return this.#queue.run(() => {
      this.#isClosed = true;
      return Promise.resolve();
    });
  }

  /**
   * Bytes of a published file; null when there is none of that name. Never a timestamp that is not durable, nor one of
   * keys that were replaced: a crash may lie between a new root and what it makes due.
   */
  read(name: string): Promise<Buffer | null> {
    return this.#queue.run(async () => {
      if (!this.#isClosed && this.#isOfOtherKeys()) await this.#write(this.orders);
      return await this.#files.read(name);
    });
  }

  #isDue(now: Date): boolean {
    return (
      this.#isOfOtherKeys() ||
      this.#signedFiles().some(
        ([, file]) => Date.parse(file?.signed.expires ?? '') - now.getTime() < DAY_MS / 2,
      )
    );
  }

  #isOfOtherKeys(): boolean {
    const root = this.#options.roots().at(-1);
    return this.#signedFiles().some(
      ([role, file]) => !isEnough(authorityOf(root, role), file?.signatures ?? []),
    );
  }

  #signedFiles(): [DeviceRole, SignedFile | undefined][] {
    const { published } = this.#files;
    return [
      ['targets', published?.roles.get('targets')],
      ['snapshot', published?.snapshot],
      ['timestamp', published?.timestamp],
    ];
  }

  async #write(targets: Orders): Promise<void> {
    const { deviceId, now, roots } = this.#options;
    if (this.#isClosed)
      throw new HoldfastError('not-found', `the Director knows no device ${deviceId} any more`);
    const before = this.#files.published?.roles.get('targets')?.signed;
    const file = signWith<TargetsDocument>(this.#key('targets'), {
      _type: 'targets',
      spec_version: TUF_VERSION,
      version: (before?.version ?? 0) + 1,
      expires: utcSeconds(now().getTime() + DAY_MS),
      targets,
      holdfast: { deviceId },
    });
    const keys = { snapshot: this.#key('snapshot'), timestamp: this.#key('timestamp') };
    const roles = new Map([['targets', file]]);
    await this.#files.publish({ roles, writeRoot: null, isSnapshotDue: true, keys }, roots());
  }

  #key(role: DeviceRole): RoleKey {
    const { held, roots } = this.#options;
    const key = held.find(authorityOf(roots().at(-1), role)?.keys ?? []);
    if (key !== undefined) return key;
    throw new HoldfastError('internal', `the control plane has no key for the Director's ${role}`);
  }
}
