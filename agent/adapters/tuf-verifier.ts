// The verifiers over TUF. A release: refreshes Director, then Image repository, and returns what both agree on;
// a measurement: the Image repository alone. Invariant: it writes under its own folder only, one refresh at a
// time, and never touches what serves.

import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { Root } from '@tufjs/models';
import type { Dispatcher } from 'undici';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { DeviceIdentity } from '../ports/identity-store.ts';
import type { MeasurementVerifier } from '../ports/measurement-verifier.ts';
import type { RefreshOptions, ReleaseVerifier, VerifiedOrder } from '../ports/release-verifier.ts';
import { agree, readDirectorOrder } from './tuf-agreement.ts';
import type { Device } from './tuf-agreement.ts';
import { pathsToFind, releaseNameOf } from './tuf-authorship.ts';
import { TufClient } from './tuf-client.ts';
import type { SignedRole } from './tuf-client.ts';
import { TufFetcher } from './tuf-fetcher.ts';
import { signedMeasurement } from './tuf-measurement.ts';
import { mismatch } from './tuf-refusals.ts';

export interface TufVerifierOptions {
  /** Holds `image/` and `director/`. */
  readonly directory: string;
  readonly identity: Pick<
    DeviceIdentity,
    'deviceId' | 'gatewayUrl' | 'imageRoot' | 'directorRoot' | 'certificatePem'
  >;
  readonly profile: string;
  /** Trusts the fleet's own CA only and shows this device's certificate; the caller closes it. */
  readonly dispatcher: Dispatcher;
  readonly now: () => Date;
  /** For one metadata file, from the request to its last byte. */
  readonly fileTimeoutMs?: number;
}

export class TufVerifier implements ReleaseVerifier, MeasurementVerifier {
  readonly #device: Device;
  readonly #director: TufClient;
  readonly #image: TufClient;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: TufVerifierOptions) {
    const { directory, identity, profile, dispatcher, now, fileTimeoutMs: timeoutMs = 30_000 } = options;
    const { deviceId, gatewayUrl, imageRoot, directorRoot, certificatePem } = identity;
    const notBeforeMs = new X509Certificate(certificatePem).validFromDate.getTime();
    this.#device = { deviceId, profile };
    const client = (name: string, anchor: string, path: string, accept?: (signed: SignedRole) => void) => {
      const baseUrl = new URL(path, gatewayUrl.endsWith('/') ? gatewayUrl : `${gatewayUrl}/`).href;
      return new TufClient({
        name,
        directory: join(directory, name),
        anchor: Buffer.from(anchor),
        baseUrl,
        fetcher: (signal) => new TufFetcher({ baseUrl, dispatcher, signal, timeoutMs }),
        now,
        notBeforeMs,
        ...(accept === undefined ? {} : { accept }),
      });
    };
    const forThisDevice = (signed: SignedRole): void => assertFor(deviceId, signed);
    this.#director = client('director', directorRoot, `director/${deviceId}/`, forThisDevice);
    this.#image = client('image', imageRoot, 'image/');
  }

  /** Refreshes that are asked for at once run one after another. */
  refresh({ highestSeq, signal }: RefreshOptions): Promise<VerifiedOrder | null> {
    return this.#inTurn(signal, (either) => this.#refresh({ highestSeq, signal: either }));
  }

  verifyMeasurement(targetPath: string, signal: AbortSignal): Promise<BlobRef> {
    return this.#inTurn(signal, async (either) => {
      const { found } = await this.#image.refresh(either, [targetPath]);
      return signedMeasurement(targetPath, found.get(targetPath), this.#device.profile);
    });
  }

  /** Stops a refresh under way; it rejects with `cancelled`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  #inTurn<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const either = AbortSignal.any([signal, this.#stopping.signal]);
    const result = this.#running.then(() => work(either));
    this.#running = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #refresh({ highestSeq, signal }: RefreshOptions): Promise<VerifiedOrder | null> {
    const director = await this.#director.refresh(signal);
    const ordered = readDirectorOrder(director.targets, this.#device, highestSeq);
    if (ordered === null) return null;
    const name = releaseNameOf(ordered.target.path);
    if (name === null) throw mismatch(`the Director orders ${ordered.target.path}, which is no release`);
    return agree(ordered, name, await this.#image.refresh(signal, pathsToFind(name)));
  }
}

/** All devices' Director metadata have the same keys; the signed device id keeps them apart. */
function assertFor(deviceId: string, signed: SignedRole): void {
  if (signed instanceof Root) return;
  const holdfast = signed.unrecognizedFields.holdfast as { deviceId?: unknown } | undefined;
  if (holdfast?.deviceId === deviceId) return;
  throw new HoldfastError('tuf-wrong-device', `the Director metadata is not for ${deviceId}`, {
    hint: 'The server mixes up its devices; nothing is installed.',
  });
}
