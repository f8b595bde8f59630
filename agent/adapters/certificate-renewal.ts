// How this device stands with its control plane: asked every hour, at every connection, lost connection and `renew`
// command. New authorities are kept; the certificate is renewed when a third of its life is left or its authority is
// being replaced. Invariants: the old certificate stays in use until the new one is on disk; one look at a time.

import { X509Certificate } from 'node:crypto';
import type { Dispatcher } from 'undici';
import { renewResponseSchema, standingSchema } from '#protocol/api.ts';
import { describeError, errorCodeOf } from '#protocol/errors.ts';
import { backoffMs } from '../domain/backoff.ts';
import type { Chance, Clock, Timer } from '../ports/clock.ts';
import type { DeviceIdentity, IdentityStore } from '../ports/identity-store.ts';
import type { Logger } from '../ports/logger.ts';
import { clockTrouble } from './clock-trouble.ts';
import { answerOf } from './gateway-request.ts';

const BACKOFF = { firstMs: 60_000, maxMs: 3_600_000 };
/** The clock may be set meanwhile, so it is looked at least this often. */
const LOOK_MS = 3_600_000;

export interface CertificateRenewalOptions {
  readonly store: IdentityStore;
  readonly identity: DeviceIdentity;
  /** Speaks as this device, with the newest certificate. */
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly onRenewed: (identity: DeviceIdentity) => void;
}

export class CertificateRenewal implements AsyncDisposable {
  readonly #options: CertificateRenewalOptions;
  readonly #stopping = new AbortController();
  #identity: DeviceIdentity;
  #failures = 0;
  #timer: Timer | null = null;
  #running: Promise<void> | null = null;
  #again = false;
  /** What was last said of the standing, so that it is said once. */
  #said = 'active';

  constructor(options: CertificateRenewalOptions) {
    this.#options = options;
    this.#identity = options.identity;
  }

  start(): void {
    this.#arm(Math.min(this.#dueInMs(), LOOK_MS));
  }

  /** Looks now, or once more when a look is under way. */
  check(): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer?.cancel();
    this.#again = true;
    this.#running ??= this.#looks();
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
    this.#timer = this.#options.clock.after(Math.max(delayMs, 0), () => this.check());
  }

  async #looks(): Promise<void> {
    let delayMs = LOOK_MS;
    while (this.#again && !this.#stopping.signal.aborted) {
      this.#again = false;
      delayMs = await this.#look();
    }
    this.#running = null;
    this.#arm(delayMs);
  }

  /** Resolves to the time until the next look, ms. */
  async #look(): Promise<number> {
    const { chance, clock, logger } = this.#options;
    const isAsked = await this.#ask();
    if (isAsked || this.#dueInMs() <= 0) {
      try {
        await this.#renew();
      } catch (error) {
        if (this.#stopping.signal.aborted) return LOOK_MS;
        const delayMs = Math.round(backoffMs(++this.#failures, BACKOFF, chance.uniform()));
        const { validTo } = new X509Certificate(this.#identity.certificatePem);
        logger.warn('the device certificate could not be renewed yet', {
          validTo,
          tryAgainInMs: delayMs,
          error: clockTrouble(error, clock.nowMs()) ?? error,
        });
        return delayMs;
      }
    }
    this.#failures = 0;
    const dueInMs = this.#dueInMs();
    // A new certificate is due at once only where the two clocks differ: another one would not help.
    return dueInMs > 0 ? Math.min(dueInMs, LOOK_MS) : LOOK_MS;
  }

  /** Asks how this device stands; whether its certificate should be of another authority. */
  async #ask(): Promise<boolean> {
    const { dispatcher, logger } = this.#options;
    const { signal } = this.#stopping;
    try {
      const url = `${this.#identity.gatewayUrl}/standing`;
      const { state, caPem, isRenewalDue } = await answerOf(url, standingSchema, {
        method: 'GET',
        signal,
        dispatcher,
      });
      this.#say(state, state === 'active' ? 'the control plane gives this device orders again' : QUARANTINED);
      if (caPem !== this.#identity.caPem) {
        await this.#keep({ ...this.#identity, caPem });
        logger.info('the control plane has other authorities than before; they are kept');
      }
      return isRenewalDue;
    } catch (error) {
      if (!signal.aborted) this.#sayRefused(error);
      return false;
    }
  }

  async #renew(): Promise<void> {
    const { store, logger, dispatcher } = this.#options;
    const body = { csrPem: await store.createCertificateRequest() };
    const asked = { method: 'POST', signal: this.#stopping.signal, dispatcher, body } as const;
    const { certificatePem, caPem } = await answerOf(
      `${this.#identity.gatewayUrl}/renew`,
      renewResponseSchema,
      asked,
    );
    await this.#keep({ ...this.#identity, certificatePem, caPem });
    const { validTo } = new X509Certificate(certificatePem);
    logger.info('the device certificate was renewed', { validTo });
  }

  async #keep({ privateKeyPem: _key, ...enrolment }: DeviceIdentity): Promise<void> {
    this.#identity = await this.#options.store.save(enrolment);
    this.#options.onRenewed(this.#identity);
  }

  #sayRefused(error: unknown): void {
    const { clock, logger } = this.#options;
    const code = errorCodeOf(error);
    const trouble = clockTrouble(error, clock.nowMs());
    if (trouble !== null) this.#say('clock', describeError(trouble));
    else if (code === 'device-revoked' || code === 'unauthorized') this.#say(code, describeError(error));
    else logger.debug('the control plane was not asked how this device stands', { error });
  }

  #say(standing: string, msg: string): void {
    if (this.#said === standing) return;
    this.#said = standing;
    this.#options.logger[standing === 'active' ? 'info' : 'error'](msg, { standing });
  }
}

const QUARANTINED =
  'the control plane has quarantined this device: it keeps what it has and gets no orders until it is released';
