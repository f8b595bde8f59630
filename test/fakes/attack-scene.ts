// A fleet whose authors keep their keys to themselves: team digits and team faces, the pipeline and the measurements of
// the control plane, a Director that its thief already owns, and one device that decides as the agent does.

import { verifyManifest } from '#agent/adapters/verify-manifest.ts';
import { verifyAuthorSignature } from '#agent/adapters/author-signature.ts';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import type { JsonObject } from '#control-plane/trust/keys/signed-bytes.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import type { DirectorCustom, ReleaseManifest } from '#protocol/release.ts';
import { releaseTargetPath } from '#protocol/release.ts';
import { authorSignatureTargetPath, sourceTargetPath } from '#protocol/trust.ts';
import { TEST_DEVICE, TEST_PROFILE, aManifest, digestOf, manifestBytes } from './agent-releases.ts';
import { authorBundle } from './author-bundle.ts';
import { OfflineImage, someKeys } from './offline-image.ts';
import { TrustWorld, orderOf } from './trust-world.ts';
import type { Device } from './trust-world.ts';

export const EDGE = TEST_DEVICE;

export interface SceneOptions {
  /** Of root and of targets, each with two keys. */
  readonly threshold?: number;
  /** Of team digits, which has two keys. */
  readonly teamThreshold?: number;
}

/** What a team may sign. */
export function teamPaths(model: string): string[] {
  return [`${model}/*/*.json`, `${model}/*/source/*.json`];
}

export function sourceSha256Of({ contract }: ReleaseManifest): string {
  return digestOf(canonicalJson(contract));
}

/** A release of another model than digits. */
export function manifestOf(model: string, version: number): ReleaseManifest {
  const manifest = aManifest(version, `weights of ${model} ${version}`);
  return { ...manifest, model, contract: { ...manifest.contract, model } };
}

export class AttackScene implements AsyncDisposable {
  readonly world: TrustWorld;
  readonly image: OfflineImage;
  readonly device: Device;
  readonly #bytes = new Map<string, Buffer>();

  private constructor(world: TrustWorld, image: OfflineImage, device: Device) {
    this.world = world;
    this.image = image;
    this.device = device;
  }

  static async create({ threshold = 2, teamThreshold = 1 }: SceneOptions = {}): Promise<AttackScene> {
    const world = await TrustWorld.create();
    const image = new OfflineImage(
      (path, bytes) => world.server.pin(path, bytes),
      () => world.nowMs,
    );
    image.plan('root', { keys: someKeys(2), threshold });
    image.plan('targets', { keys: someKeys(2), threshold });
    image.plan('snapshot', { keys: someKeys(1), threshold: 1 });
    image.plan('timestamp', { keys: someKeys(1), threshold: 1 });
    image.plan('team-digits', { keys: someKeys(2), threshold: teamThreshold, paths: teamPaths('digits') });
    image.plan('team-faces', { keys: someKeys(1), threshold: 1, paths: teamPaths('faces') });
    image.plan('pipeline', { keys: someKeys(1), threshold: 1, paths: ['*/*/*.json'] });
    image.plan('measurements', { keys: someKeys(1), threshold: 1, paths: ['*/*/candidates/*.json'] });
    image.publish();
    const device = await world.enrol(EDGE, { profile: TEST_PROFILE, imageRoot: image.root });
    return new AttackScene(world, image, device);
  }

  /** Every key that lies on the machine of the control plane. */
  get onlineKeys(): RoleKey[] {
    return ['snapshot', 'timestamp', 'pipeline', 'measurements'].flatMap((role) => this.image.keysOf(role));
  }

  /** Puts the contract of a version under the name of its authors. */
  putSource(role: string, manifest: ReleaseManifest): void {
    const { model, version, contract } = manifest;
    this.#put(role, sourceTargetPath(model, version), canonicalJson(contract), { kind: 'source' });
  }

  /** Puts a signature of the version's files beside it. */
  putSignature(role: string, manifest: ReleaseManifest, author: RoleKey): void {
    const { model, version, contract } = manifest;
    const bundle = authorBundle(author, {
      'contract.json': sourceSha256Of(manifest),
      'golden.safetensors': contract.golden.sha256,
      'weights.onnx': contract.weights.sha256,
    });
    this.#put(role, authorSignatureTargetPath(model, version), bundle, { kind: 'author-signature' });
  }

  /** Signed as made from `sourceSha256`: the manifest's own contract unless told, nothing for null. */
  putRelease(
    role: string,
    manifest: ReleaseManifest,
    sourceSha256: string | null = sourceSha256Of(manifest),
  ): void {
    const { profile, releaseCounter } = manifest;
    const source = sourceSha256 === null ? {} : { sourceSha256 };
    this.#put(role, pathOf(manifest), manifestBytes(manifest), { profile, releaseCounter, ...source });
  }

  /** The Director orders a release, whether or not anybody signed it. */
  async order(manifest: ReleaseManifest, seq: number, change: Partial<DirectorCustom> = {}): Promise<void> {
    const { profile, releaseCounter } = manifest;
    const release = { path: pathOf(manifest), bytes: manifestBytes(manifest), releaseCounter };
    await this.world.trust.director.setOrder(EDGE, orderOf(release, EDGE, seq, { profile, ...change }));
  }

  /** All that the agent holds against an order before it loads a byte of it; null when there is no order. */
  async install(highestSeq = 0): Promise<ReleaseManifest | null> {
    const verified = await this.device.refresh(highestSeq);
    if (verified === null) return null;
    const manifest = verifyManifest(this.#bytesOf(verified.manifestSha256), verified);
    if (verified.authorSignature !== null) {
      const { bundle } = verified.authorSignature;
      verifyAuthorSignature(this.#bytesOf(bundle.sha256), manifest, verified);
    }
    return manifest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }

  #put(role: string, path: string, content: Buffer | string, custom: JsonObject): void {
    const bytes = Buffer.from(content);
    const sha256 = digestOf(bytes);
    this.#bytes.set(sha256, bytes);
    this.image.put(role, path, { sha256, length: bytes.length, custom });
  }

  #bytesOf(sha256: string): Buffer {
    const bytes = this.#bytes.get(sha256);
    if (bytes === undefined) throw new Error(`nobody has the bytes of ${sha256}`);
    return bytes;
  }
}

function pathOf({ model, version, profile }: ReleaseManifest): string {
  return releaseTargetPath(model, version, profile);
}
