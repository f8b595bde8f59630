// How a device gets its identity: claim, key, certificate request, certificate. Invariants: a device that has one
// needs neither claim nor server; a lost answer is asked for again with the same key and claim; what the control plane
// refuses is final, what the network refuses is tried again, and so is what a person has not decided yet.

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { HoldfastError, type ErrorCode } from '#protocol/errors.ts';
import { keyFingerprint } from '#protocol/key-fingerprint.ts';
import { parseClaimToken } from '#protocol/claim-token.ts';
import { backoffMs } from '../domain/backoff.ts';
import type { Chance, Clock } from '../ports/clock.ts';
import type { DeviceIdentity, IdentityStore } from '../ports/identity-store.ts';
import type { Logger } from '../ports/logger.ts';
import { sleep } from '../ports/sleep.ts';
import { clockTrouble } from './clock-trouble.ts';
import { writeFileDurably } from './durable-file.ts';
import { fetchEnrolmentInfo, postEnrolment } from './enrolment-client.ts';

const BACKOFF = { firstMs: 500, maxMs: 15_000 };

/** A person decides in minutes, not in milliseconds. */
const APPROVAL_BACKOFF = { firstMs: 2_000, maxMs: 30_000 };

/** Refusals that another try may not meet. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'unavailable',
  'rate-limited',
  'internal',
  'overloaded',
  'approval-pending',
]);

export interface EnrolmentOptions {
  readonly store: IdentityStore;
  readonly server: string | undefined;
  readonly claim: string | undefined;
  readonly profile: string;
  /** Keeps the claim, so that a lost answer can be asked for again. */
  readonly claimPath: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * The device's identity, by enrolment where there is none yet. Errors: `bad-config` (no claim or server),
 * `claim-invalid`, `claim-spent`, `claim-expired`, `ca-mismatch`, and what else the control plane refuses with.
 */
export async function ensureEnrolled(options: EnrolmentOptions): Promise<DeviceIdentity> {
  const known = await options.store.load();
  if (known !== null && !(await mayEnrolAgain(options, known))) {
    if (options.claim !== undefined) options.logger.info('this device has enrolled; the claim is not used');
    return known;
  }
  const { server, claim } = options;
  if (claim === undefined || server === undefined) {
    throw new HoldfastError(
      'bad-config',
      `this device has not enrolled and no --${claim === undefined ? 'claim' : 'server'} is given`,
      {
        hint: 'make a claim at the control plane and give it with --server and --claim',
      },
    );
  }
  parseClaimToken(claim);
  const { clock, chance, logger, signal } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await enrolOnce(options, server, claim);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HoldfastError && !PASSING.has(error.code)) throw error;
      const isPending = error instanceof HoldfastError && error.code === 'approval-pending';
      const steps = isPending ? APPROVAL_BACKOFF : BACKOFF;
      const tryAgainInMs = Math.round(backoffMs(attempt, steps, chance.uniform()));
      const what = isPending ? await waitsForApproval(options.store) : 'cannot enrol yet; trying again';
      logger.warn(what, {
        server,
        attempt,
        tryAgainInMs,
        error: clockTrouble(error, clock.nowMs()) ?? error,
      });
      await sleep(clock, tryAgainInMs, signal);
    }
  }
}

/** Its certificate has ended, and it was given another claim than the one it enrolled with. */
async function mayEnrolAgain(
  { claim, claimPath, clock }: EnrolmentOptions,
  known: DeviceIdentity,
): Promise<boolean> {
  if (claim === undefined) return false;
  const { validToDate } = new X509Certificate(known.certificatePem);
  if (validToDate.getTime() > clock.nowMs()) return false;
  const used = await readFile(claimPath, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  return used.trim() !== claim.trim();
}

/** With this device's key as a person beside it compares it. */
async function waitsForApproval(store: IdentityStore): Promise<string> {
  return `waits for a person's approval; the key of this device is ${keyFingerprint(await store.keySha256())}`;
}

async function enrolOnce(
  { store, profile, claimPath, signal, logger }: EnrolmentOptions,
  server: string,
  claim: string,
): Promise<DeviceIdentity> {
  const { caSpkiSha256 } = parseClaimToken(claim);
  const info = await fetchEnrolmentInfo(server, caSpkiSha256, signal);
  const csrPem = await store.createCertificateRequest();
  await writeFileDurably(claimPath, claim); // before it is spent, so that it cannot be lost after
  const identity = await store.save(await postEnrolment(info, { claim, csrPem, profile }, signal));
  logger.info('enrolled', { deviceId: identity.deviceId, fleet: identity.fleet, server });
  return identity;
}
