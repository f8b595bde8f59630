// Device certificates live for weeks: when a third of the life is left, the same key asks for another with
// the claim it enrolled with. Invariant: the old certificate stays in use until the new one is on disk.

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';
import { backoffMs } from '../domain/backoff.ts';
import type { Chance, Clock, Timer } from '../ports/clock.ts';
import type { DeviceIdentity, IdentityStore } from '../ports/identity-store.ts';
import type { Logger } from '../ports/logger.ts';
import { postEnrolment } from './enrolment-client.ts';

const BACKOFF = { firstMs: 60_000, maxMs: 3_600_000 };
/** The clock may be set meanwhile, so it is looked at least this often. */
const LOOK_MS = 3_600_000;

export interface CertificateRenewalOptions {
  readonly store: IdentityStore;
  readonly identity: DeviceIdentity;
  /** Holds the claim that this device enrolled with. */
  readonly claimPath: string;
  readonly profile: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly onRenewed: (identity: DeviceIdentity) => void;
}

export class CertificateRenewal implements AsyncDisposable {
  readonly #options: CertificateRenewalOptions;
  readonly #stopping = new AbortController();
  #identity: DeviceIdentity;
  #attempt = 0;
  #timer: Timer | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: CertificateRenewalOptions) {
    this.#options = options;
    this.#identity = options.identity;
  }

  start(): void {
    this.#arm(Math.min(this.#dueInMs(), LOOK_MS));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new Error('the agent stops'));
    this.#timer?.cancel();
    await this.#running;
    this.#timer?.cancel();
  }

  #dueInMs(): number {
    const { validFromDate, validToDate } = new X509Certificate(this.#identity.certificatePem);
    const lifeMs = validToDate.getTime() - validFromDate.getTime();
    return validToDate.getTime() - lifeMs / 3 - this.#options.clock.nowMs();
  }

  #arm(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = this.#options.clock.after(Math.max(delayMs, 0), () => {
      this.#running = this.#look();
    });
  }

  async #look(): Promise<void> {
    const { chance, logger } = this.#options;
    if (this.#dueInMs() > 0) return this.start();
    try {
      await this.#renew();
      this.#attempt = 0;
      this.start();
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      const delayMs = Math.round(backoffMs(++this.#attempt, BACKOFF, chance.uniform()));
      const { validTo } = new X509Certificate(this.#identity.certificatePem);
      logger.warn('the device certificate could not be renewed yet', {
        validTo,
        tryAgainInMs: delayMs,
        error,
      });
      this.#arm(delayMs);
    }
  }

  async #renew(): Promise<void> {
    const { store, claimPath, profile, logger, onRenewed } = this.#options;
    const csrPem = await store.createCertificateRequest();
    const claim = await readClaim(claimPath);
    const body = { claim, csrPem, profile };
    this.#identity = await store.save(await postEnrolment(this.#identity, body, this.#stopping.signal));
    const { validTo } = new X509Certificate(this.#identity.certificatePem);
    logger.info('the device certificate was renewed', { validTo });
    onRenewed(this.#identity);
  }
}

async function readClaim(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError(
      'identity-missing',
      'the claim that this device enrolled with is not on disk any more',
      {
        hint: 'enrol the device anew, with a new claim and a new data folder, before its certificate ends',
        cause,
      },
    );
  }
}
