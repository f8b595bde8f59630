// An attacker who holds some of the real signing keys and the way to the device: forges metadata of one
// repository role by role and serves it in place of the real one.

import { createHash } from 'node:crypto';
import { MetaFile, Metadata, Root, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { TUF_VERSION, utcSeconds } from '#control-plane/trust/documents.ts';
import type { JsonObject } from '#control-plane/trust/keys/signed-bytes.ts';
import type { TrustWorld } from './trust-world.ts';

type Role = 'targets' | 'snapshot' | 'timestamp';

export interface Forgery {
  readonly version: number;
  readonly targets: Readonly<Record<string, { length: number; sha256: string; custom: JsonObject }>>;
  /** Signed into every role as `holdfast`. */
  readonly extra: JsonObject;
  /** An hour from now unless told. */
  readonly expires?: string;
  /** Versions that differ from `version`, by role. */
  readonly versions?: Partial<Record<Role, number>>;
  /** Keys to sign with instead of the stolen ones, by role. */
  readonly keys?: Partial<Record<Role, RoleKey>>;
}

export class TrustThief {
  readonly #world: TrustWorld;

  constructor(world: TrustWorld) {
    this.#world = world;
  }

  /** Serves a whole forged generation; `path` is `image` or `director/<device>`. */
  async serve(path: string, forgery: Forgery): Promise<void> {
    const { version, targets, extra, versions = {} } = forgery;
    const expires = forgery.expires ?? utcSeconds(this.#world.nowMs + 3_600_000);
    const common = (role: Role) => ({
      version: versions[role] ?? version,
      specVersion: TUF_VERSION,
      expires,
      unrecognizedFields: { holdfast: extra },
    });
    const store = await this.#world.stolenKeys();
    const keyOf = async (role: Role) =>
      forgery.keys?.[role] ?? (await store.load(`${path.split('/')[0]}-${role}`));
    const signedTargets = new Targets(common('targets'));
    for (const [name, { length, sha256, custom }] of Object.entries(targets)) {
      signedTargets.addTarget(
        new TargetFile({ path: name, length, hashes: { sha256 }, unrecognizedFields: { custom } }),
      );
    }
    const targetsFile = signFile(signedTargets, await keyOf('targets'));
    const meta = { 'targets.json': metaFile(targetsFile.version, targetsFile.bytes) };
    const snapshotFile = signFile(new Snapshot({ ...common('snapshot'), meta }), await keyOf('snapshot'));
    const snapshotMeta = metaFile(snapshotFile.version, snapshotFile.bytes);
    const timestampFile = signFile(
      new Timestamp({ ...common('timestamp'), snapshotMeta }),
      await keyOf('timestamp'),
    );
    this.#world.server.pin(`/${path}/${targetsFile.version}.targets.json`, targetsFile.bytes);
    this.#world.server.pin(`/${path}/${snapshotFile.version}.snapshot.json`, snapshotFile.bytes);
    this.#world.server.pin(`/${path}/timestamp.json`, timestampFile.bytes);
  }

  /** Serves a next root that gives timestamp and snapshot to other keys. */
  async serveRoot(
    path: string,
    version: number,
    keys: { timestamp: RoleKey; snapshot: RoleKey },
  ): Promise<void> {
    const store = await this.#world.stolenKeys();
    const prefix = path.split('/')[0];
    const rootKey = await store.load(`${prefix}-root`);
    const root = new Root({
      version,
      specVersion: TUF_VERSION,
      expires: utcSeconds(this.#world.nowMs + 86_400_000),
      consistentSnapshot: true,
      unrecognizedFields: { holdfast: { repository: prefix ?? '' } },
    });
    root.addKey(rootKey.publicKey, 'root');
    root.addKey((await store.load(`${prefix}-targets`)).publicKey, 'targets');
    root.addKey(keys.timestamp.publicKey, 'timestamp');
    root.addKey(keys.snapshot.publicKey, 'snapshot');
    this.#world.server.pin(`/${path}/${version}.root.json`, signFile(root, rootKey).bytes);
  }
}

function metaFile(version: number, bytes: Buffer): MetaFile {
  return new MetaFile({
    version,
    length: bytes.length,
    hashes: { sha256: createHash('sha256').update(bytes).digest('hex') },
  });
}

function signFile(
  signed: Root | Targets | Snapshot | Timestamp,
  key: RoleKey,
): { version: number; bytes: Buffer } {
  const metadata = new Metadata(signed);
  metadata.sign((bytes) => key.sign(bytes));
  return { version: signed.version, bytes: Buffer.from(JSON.stringify(metadata.toJSON())) };
}
