// Changing the device authority's key while devices go on: a new key signs at once, both are believed, devices renew by
// themselves, and the old one is retired when all have. Every step lands in the audit log.

import type { DeviceCaStatus } from '#protocol/device-ca.ts';
import { encodeMessage } from '#protocol/messages.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { deviceTopic } from '#protocol/topics.ts';
import type { Messaging } from '../broker/messaging.ts';
import type { Logger } from '../logger.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { revokedCertificates, type RevokedCertificate } from './certificates.ts';
import type { MessageStamp } from './message-stamp.ts';

const SHOWN = 20;

/** The part of trust/device-ca.ts that this uses. */
export interface RotatingCa {
  readonly bundlePem: string;
  readonly isKeyEncrypted: boolean;
  readonly authorities: readonly { readonly keySha256: string; readonly expiresAtMs: number }[];
  spkiSha256(): string;
  rotate(): Promise<void>;
  retire(): Promise<void>;
  revocationLists(revoked: readonly RevokedCertificate[]): Promise<string>;
}

export interface AuthorityDeps {
  readonly fleet: string;
  readonly store: Store;
  readonly audit: Audit;
  readonly events: LiveEvents;
  readonly logger: Logger;
  readonly messaging: Messaging;
  readonly stamp: MessageStamp;
  readonly deviceCa: RotatingCa;
  /** Gives the servers certificates of the present authority. */
  readonly refreshTls: () => Promise<void>;
  readonly nowMs: () => number;
}

export class Authority {
  readonly #deps: AuthorityDeps;

  constructor(deps: AuthorityDeps) {
    this.#deps = deps;
  }

  async status(): Promise<DeviceCaStatus> {
    const { deviceCa, store, nowMs } = this.#deps;
    const waiting = await this.#waiting();
    return {
      authorities: [...deviceCa.authorities],
      isKeyEncrypted: deviceCa.isKeyEncrypted,
      waitingFor: waiting.length,
      waiting: waiting.slice(0, SHOWN),
      caPem: deviceCa.bundlePem,
      crlPem: await deviceCa.revocationLists(await revokedCertificates(store.db, nowMs())),
    };
  }

  /** Errors: `conflict` while the authority before is not retired. */
  async rotate(actor: string): Promise<DeviceCaStatus> {
    const { deviceCa, refreshTls } = this.#deps;
    await deviceCa.rotate();
    await this.#tell(
      actor,
      'device-ca.rotate',
      'the device authority has a new key; devices renew their certificates',
      {},
    );
    await refreshTls();
    await this.#askToRenew();
    return await this.status();
  }

  /** Errors: `conflict` while devices have no certificate of the new authority, unless `force`. */
  async retire(actor: string, force: boolean): Promise<DeviceCaStatus> {
    const { deviceCa, refreshTls } = this.#deps;
    const waiting = await this.#waiting();
    if (waiting.length > 0 && !force) {
      const some = waiting.slice(0, SHOWN).join(', ');
      throw new HoldfastError(
        'conflict',
        `${waiting.length} devices have no certificate of the new authority: ${some}`,
        {
          hint: 'wait until they have been connected, or force it: they must then enrol again',
        },
      );
    }
    await deviceCa.retire();
    await this.#tell(
      actor,
      'device-ca.retire',
      'the device authority before the present one is believed no more',
      {
        leftBehind: waiting.slice(0, 1_000),
      },
    );
    await refreshTls();
    return await this.status();
  }

  /** Connected devices look at once; all others when they connect. */
  async #askToRenew(): Promise<void> {
    const { fleet, messaging, stamp, logger } = this.#deps;
    for (const deviceId of await this.#waiting()) {
      const payload = encodeMessage('command', { ...stamp.next(), body: { kind: 'renew' } });
      messaging
        .publish(deviceTopic(fleet, deviceId, 'command'), payload, { retain: false })
        .catch((error: unknown) =>
          logger.debug('a device was not asked to renew', { device: deviceId, error }),
        );
    }
  }

  /** Devices that may connect and whose certificate is of an older authority. */
  async #waiting(): Promise<string[]> {
    const { store, deviceCa } = this.#deps;
    const rows = await store.db
      .selectFrom('devices')
      .select('id')
      .where('state', 'in', ['active', 'quarantined'])
      .where((eb) =>
        eb.or([eb('certificate_ca', 'is', null), eb('certificate_ca', '!=', deviceCa.spkiSha256())]),
      )
      .orderBy('id')
      .execute();
    return rows.map(({ id }) => id);
  }

  async #tell(actor: string, action: string, summary: string, more: Record<string, unknown>): Promise<void> {
    const { store, audit, events, deviceCa, nowMs } = this.#deps;
    const subject = deviceCa.spkiSha256();
    await store.transaction(async (trx) => {
      await audit.record({ actor, action, subject, detail: { keySha256: subject, ...more } }, trx);
      await events.append({ kind: 'trust', subject, atMs: nowMs(), summary }, trx);
    });
  }
}
