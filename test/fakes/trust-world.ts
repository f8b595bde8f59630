// A control plane's trust folder, its gateway and enrolled devices, in one temporary folder and one clock.
// Everything in it is real but the gateway's manners.

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { IdentityFiles } from '#agent/adapters/identity-files.ts';
import { pinnedHttpsAgent } from '#agent/adapters/pinned-https.ts';
import { TufVerifier } from '#agent/adapters/tuf-verifier.ts';
import type { DeviceIdentity } from '#agent/ports/identity-store.ts';
import type { VerifiedOrder } from '#agent/ports/release-verifier.ts';
import { KeyStore } from '#control-plane/trust/keys/key-store.ts';
import { openTrust } from '#control-plane/trust/open-trust.ts';
import type { Trust } from '#control-plane/trust/open-trust.ts';
import type { DirectorOrder } from '#control-plane/trust/director-repository.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import type { DirectorCustom } from '#protocol/release.ts';
import { sourceTargetPath } from '#protocol/trust.ts';
import { TufServer } from './tuf-server.ts';

export const PROFILE = 'cpu-small';

export interface Release {
  readonly path: string;
  readonly bytes: Buffer;
  readonly releaseCounter: number;
}

/** The manifest of a made-up release; its bytes follow from its version. */
export function release(version: number, model = 'digits'): Release {
  const path = `${model}/${version}/${PROFILE}.json`;
  return { path, bytes: Buffer.from(JSON.stringify({ manifest: path })), releaseCounter: version };
}

/** As authors and then the pipeline sign a version. */
export async function signRelease({ image }: Pick<Trust, 'image'>, signed: Release): Promise<void> {
  const { path, bytes, releaseCounter } = signed;
  const [model = '', version = ''] = path.split('/');
  const source = Buffer.from(JSON.stringify({ contract: `${model}/${version}` }));
  const custom = { kind: 'source' } as const;
  await image.addAuthorTargets(model, [
    { path: sourceTargetPath(model, Number(version)), bytes: source, custom },
  ]);
  const sourceSha256 = createHash('sha256').update(source).digest('hex');
  await image.addRelease({ path, bytes, custom: { profile: PROFILE, releaseCounter, sourceSha256 } });
}

export function orderOf(
  wanted: Release,
  deviceId: string,
  seq: number,
  change: Partial<DirectorCustom> = {},
): DirectorOrder {
  return {
    targetPath: wanted.path,
    length: wanted.bytes.length,
    sha256: createHash('sha256').update(wanted.bytes).digest('hex'),
    custom: {
      deviceId,
      rolloutId: `rollout-${seq}`,
      seq,
      profile: PROFILE,
      releaseCounter: wanted.releaseCounter,
      policy: DEFAULT_DEPLOYMENT_POLICY,
      ...change,
    },
  };
}

export class TrustWorld implements AsyncDisposable {
  readonly directory: string;
  readonly trust: Trust;
  readonly server: TufServer;
  /** Time of the control plane and of the devices, unix ms. TLS keeps the machine's own. */
  nowMs: number;
  /** What the clocks of the devices show, unix ms; the right time unless told. */
  deviceClockMs: number | null = null;
  readonly #devices: Device[] = [];

  private constructor(directory: string, trust: Trust, server: TufServer, nowMs: number) {
    this.directory = directory;
    this.trust = trust;
    this.server = server;
    this.nowMs = nowMs;
  }

  static async create(): Promise<TrustWorld> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-trust-'));
    const clock = { nowMs: Date.now() };
    const trust = await openTrust({ directory: join(directory, 'trust'), now: () => new Date(clock.nowMs) });
    const world = new TrustWorld(directory, trust, await TufServer.start(trust), clock.nowMs);
    Object.defineProperty(world, 'nowMs', {
      get: () => clock.nowMs,
      set: (value: number) => {
        clock.nowMs = value;
      },
    });
    return world;
  }

  /** The keys that signed everything here: what a thief of the control plane would hold. */
  async stolenKeys(): Promise<KeyStore> {
    return await KeyStore.open(join(this.directory, 'trust', 'keys'));
  }

  async enrol(
    deviceId: string,
    { profile = PROFILE, gatewayUrl = this.server.url, imageRoot = this.trust.image.trustedRoot } = {},
  ): Promise<Device> {
    const identityFolder = join(this.directory, deviceId, 'identity');
    const identityFiles = new IdentityFiles(identityFolder);
    const csrPem = await identityFiles.createCertificateRequest();
    const { certificatePem } = await this.trust.ca.issueDeviceCertificate({ deviceId, csrPem });
    await this.trust.director.ensureDevice(deviceId);
    const identity = await identityFiles.save({
      deviceId,
      fleet: 'test',
      certificatePem,
      caPem: this.trust.ca.certificatePem,
      gatewayUrl,
      mqttUrl: 'mqtts://127.0.0.1:1',
      imageRoot,
      directorRoot: this.trust.director.trustedRoot,
    });
    const directory = join(this.directory, deviceId, 'tuf');
    const dispatcher = dispatcherOf(identity);
    const now = () => new Date(this.deviceClockMs ?? this.nowMs);
    const verifier = new TufVerifier({ directory, identity, profile, dispatcher, now, fileTimeoutMs: 2_000 });
    const device = new Device({ deviceId, identity, identityFolder, directory, verifier, dispatcher });
    this.#devices.push(device);
    return device;
  }

  /** Signs a release in the Image repository, and before it its source for its authors. */
  async sign(signed: Release): Promise<void> {
    await signRelease(this.trust, signed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const device of this.#devices) await device[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true });
  }
}

interface DeviceParts {
  readonly deviceId: string;
  readonly identity: DeviceIdentity;
  readonly identityFolder: string;
  /** Where its TUF metadata lies. */
  readonly directory: string;
  readonly verifier: TufVerifier;
  readonly dispatcher: Dispatcher;
}

/** TLS as the agent has it: the fleet's CA, this device's certificate. The caller destroys it. */
export function dispatcherOf({ caPem, certificatePem, privateKeyPem }: DeviceIdentity): Dispatcher {
  return pinnedHttpsAgent(() => ({ caPem, certificatePem, keyPem: privateKeyPem }));
}

export class Device {
  readonly deviceId: string;
  readonly identity: DeviceIdentity;
  readonly identityFolder: string;
  readonly directory: string;
  readonly verifier: TufVerifier;
  readonly #dispatcher: Dispatcher;

  constructor({ deviceId, identity, identityFolder, directory, verifier, dispatcher }: DeviceParts) {
    this.#dispatcher = dispatcher;
    this.deviceId = deviceId;
    this.identity = identity;
    this.identityFolder = identityFolder;
    this.directory = directory;
    this.verifier = verifier;
  }

  async refresh(highestSeq = 0): Promise<VerifiedOrder | null> {
    return await this.verifier.refresh({ highestSeq, signal: new AbortController().signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.verifier[Symbol.asyncDispose]();
    await this.#dispatcher.destroy();
  }
}
