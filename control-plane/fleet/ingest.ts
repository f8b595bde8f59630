// Applies what devices say: presence, reported state, events, telemetry. INVARIANTS: an outbox entry is
// applied in the transaction that records it; it is acknowledged only after that commit, and never past a
// hole; an older report of one boot never overwrites a newer one.

import type { Kysely } from 'kysely';
import { mayConnect } from '#protocol/device-state.ts';
import {
  reportedBodySchema,
  type DeploymentReport,
  type EventBody,
  type TelemetryBody,
} from '#protocol/messages.ts';
import type { Logger } from '../logger.ts';
import type { LiveEvents } from '../store/live-events.ts';
import type { Database } from '../store/schema.ts';
import { deviceRow, stateOf, type DeviceRow } from './devices.ts';
import { compareReports, deploymentNews, mergeReported } from './deployment-news.ts';
import type { DeviceMessage } from './device-message.ts';
import { eventNews } from './event-news.ts';
import { acceptEntry } from './inbox.ts';

export interface IngestDeps {
  readonly events: LiveEvents;
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** Stores a window within the transaction that records it as received. */
  readonly storeTelemetry: (trx: Kysely<Database>, deviceId: string, body: TelemetryBody) => Promise<void>;
  /** Called after the commit. */
  readonly onDeployment: (deviceId: string, report: DeploymentReport) => void;
  /** A retained message of a device that is out. */
  readonly onOutside: (deviceId: string, leaf: 'presence' | 'reported') => void;
  readonly onStored: (deviceId: string, boot: string, upToSeq: number) => void;
}

type Trx = Kysely<Database>;
const nothing = () => undefined;

export class Ingest {
  readonly #deps: IngestDeps;

  constructor(deps: IngestDeps) {
    this.#deps = deps;
  }

  /** Applies one message; the answer is to be called once the transaction is committed. */
  async apply(trx: Trx, message: DeviceMessage): Promise<() => void> {
    const { deviceId, isRetained } = message;
    const row = await deviceRow(trx, deviceId);
    if (row === undefined) {
      this.#deps.logger.warn('a message of an unknown device was left out', { device: deviceId });
      return nothing;
    }
    if (!mayConnect(stateOf(row))) return this.#fromOutside(message);
    if (message.leaf === 'presence') {
      await this.#presence(trx, row, message.envelope.body.online);
      return nothing;
    }
    if (!isRetained) await this.#presence(trx, row, true);
    if (message.leaf !== 'reported') return await this.#outboxEntry(trx, row, message);
    return await this.#reported(trx, row, message);
  }

  /** A device that is out says nothing more; what a broker kept of it, or its will leaves behind, is cleared. */
  #fromOutside({ deviceId, leaf }: DeviceMessage): () => void {
    this.#deps.logger.debug('a message of a device that is out was left out', { device: deviceId, leaf });
    if (leaf !== 'presence' && leaf !== 'reported') return nothing;
    return () => this.#deps.onOutside(deviceId, leaf);
  }

  async #presence(trx: Trx, row: DeviceRow, isOnline: boolean): Promise<void> {
    const atMs = this.#deps.nowMs();
    await trx
      .updateTable('devices')
      .set({ online: isOnline ? 1 : 0, last_seen_ms: isOnline ? atMs : row.last_seen_ms })
      .where('id', '=', row.id)
      .execute();
    if ((row.online === 1) !== isOnline) {
      await this.#tell(trx, row.id, `${row.id} is ${isOnline ? 'online' : 'offline'}`);
    }
  }

  async #reported(
    trx: Trx,
    row: DeviceRow,
    { deviceId, envelope }: Extract<DeviceMessage, { leaf: 'reported' }>,
  ): Promise<() => void> {
    const isSameBoot = row.reported_boot === envelope.boot;
    if (isSameBoot && envelope.seq <= row.reported_seq) return nothing;
    const kept = row.json_reported === null ? null : reportedBodySchema.parse(JSON.parse(row.json_reported));
    const merged = mergeReported(kept, envelope.body, isSameBoot);
    await trx
      .updateTable('devices')
      .set({
        json_reported: JSON.stringify(merged),
        reported_boot: envelope.boot,
        reported_seq: envelope.seq,
      })
      .where('id', '=', deviceId)
      .execute();
    const { deployment } = merged;
    if (deployment === null) return nothing;
    await this.#tellDeployment(trx, deviceId, kept?.deployment ?? null, deployment);
    return () => this.#deps.onDeployment(deviceId, deployment);
  }

  async #outboxEntry(
    trx: Trx,
    row: DeviceRow,
    message: Exclude<DeviceMessage, { leaf: 'presence' | 'reported' }>,
  ): Promise<() => void> {
    const { deviceId } = message;
    const { boot, seq, heldFromSeq } = message.envelope;
    const { isNew, upToSeq } = await acceptEntry(
      trx,
      { deviceId, boot, seq, heldFromSeq },
      this.#deps.nowMs(),
    );
    const follow = isNew ? await this.#newEntry(trx, row, message) : nothing;
    return () => {
      follow();
      // 0 covers nothing: the first entry is still missing.
      if (upToSeq > 0) this.#deps.onStored(deviceId, boot, upToSeq);
    };
  }

  async #newEntry(
    trx: Trx,
    row: DeviceRow,
    message: Exclude<DeviceMessage, { leaf: 'presence' | 'reported' }>,
  ): Promise<() => void> {
    switch (message.leaf) {
      case 'telemetry':
        await this.#deps.storeTelemetry(trx, row.id, message.envelope.body);
        return nothing;
      case 'events':
        return await this.#event(trx, row, message.envelope.body);
      case 'unreadable':
        this.#deps.logger.warn('an unreadable message was left out', { device: row.id, why: message.why });
        await this.#tell(trx, row.id, `${row.id} sent what this version cannot read; it was left out`);
        return nothing;
    }
  }

  async #event(trx: Trx, row: DeviceRow, body: EventBody): Promise<() => void> {
    if (body.kind !== 'deployment') {
      await this.#tell(trx, row.id, eventNews(row.id, body));
      return nothing;
    }
    const kept = row.json_reported === null ? null : reportedBodySchema.parse(JSON.parse(row.json_reported));
    const known = kept?.deployment ?? null;
    await this.#tellDeployment(trx, row.id, known, body.report);
    if (kept !== null && (known === null || compareReports(body.report, known) > 0)) {
      const merged = { ...kept, deployment: body.report };
      await trx
        .updateTable('devices')
        .set({ json_reported: JSON.stringify(merged) })
        .where('id', '=', row.id)
        .execute();
    }
    return () => this.#deps.onDeployment(row.id, body.report);
  }

  async #tellDeployment(
    trx: Trx,
    deviceId: string,
    known: DeploymentReport | null,
    report: DeploymentReport,
  ): Promise<void> {
    const summary = deploymentNews(deviceId, known, report);
    if (summary !== null) await this.#tell(trx, deviceId, summary, report.evidence);
  }

  async #tell(
    trx: Trx,
    deviceId: string,
    summary: string,
    evidence: DeploymentReport['evidence'] = [],
  ): Promise<void> {
    const atMs = this.#deps.nowMs();
    const event = { kind: 'device' as const, subject: deviceId, atMs, summary };
    await this.#deps.events.append(evidence.length === 0 ? event : { ...event, evidence }, trx);
  }
}
