// Sends what the control plane has not acknowledged: in order, all of it again on every connection and
// `report` command (protocol/messages.ts). Invariant: an entry leaves the journal only by an ack, or when
// it can never be sent.

import { errorCodeOf } from '#protocol/errors.ts';
import type { CommandBody } from '#protocol/messages.ts';
import { acknowledged, heldFromSeq } from '../domain/outbox.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { OutboxEntry } from '../ports/journal.ts';
import type { Logger } from '../ports/logger.ts';
import type { Transport } from '../ports/transport.ts';
import type { JournalKeeper } from './journal-keeper.ts';

const RETRY_MS = 1_000;

export interface OutboxSenderDeps {
  readonly keeper: JournalKeeper;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class OutboxSender implements AsyncDisposable {
  readonly #deps: OutboxSenderDeps;
  readonly #listening: Disposable;
  /** Entries sent since the last restart of sending, by boot and number. */
  readonly #sent = new Set<string>();
  #round = 0;
  #running: Promise<void> | null = null;
  #retry: Timer | null = null;
  #disposed = false;

  constructor(deps: OutboxSenderDeps) {
    this.#deps = deps;
    this.#listening = deps.keeper.onChange(() => this.#pump());
  }

  /** Sends everything again, from the oldest. */
  restart(): void {
    this.#round++;
    this.#sent.clear();
    this.#pump();
  }

  async acknowledge({ boot, upToSeq }: Extract<CommandBody, { kind: 'ack' }>): Promise<void> {
    await this.#deps.keeper.change((state) => acknowledged(state, boot, upToSeq));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#listening[Symbol.dispose]();
    this.#retry?.cancel();
    await this.#running;
  }

  #pump(): void {
    if (this.#disposed || !this.#deps.transport.isConnected) return;
    this.#running ??= this.#send().finally(() => {
      this.#running = null;
    });
  }

  async #send(): Promise<void> {
    const { transport, logger, clock } = this.#deps;
    for (let next = this.#next(); next !== null && transport.isConnected; next = this.#next()) {
      const { entry, held } = next;
      const round = this.#round;
      try {
        await transport.send({ ...entry, heldFromSeq: held });
        if (round === this.#round) this.#sent.add(keyOf(entry));
      } catch (error) {
        if (errorCodeOf(error) === 'body-too-large') await this.#discard(entry, error);
        else {
          logger.debug('a message did not get through', { leaf: entry.leaf, seq: entry.seq, error });
          this.#retry?.cancel();
          this.#retry = clock.after(RETRY_MS, () => this.#pump());
          return;
        }
      }
    }
  }

  #next(): { entry: OutboxEntry; held: number } | null {
    if (this.#disposed) return null;
    const { outbox } = this.#deps.keeper.state;
    const entry = outbox.find((candidate) => !this.#sent.has(keyOf(candidate)));
    return entry === undefined ? null : { entry, held: heldFromSeq(outbox, entry.boot) ?? entry.seq };
  }

  async #discard(entry: OutboxEntry, error: unknown): Promise<void> {
    this.#deps.logger.error('a message can never be sent and is dropped', { leaf: entry.leaf, error });
    await this.#deps.keeper.change((state) => ({
      ...state,
      outbox: state.outbox.filter((kept) => keyOf(kept) !== keyOf(entry)),
    }));
  }
}

function keyOf({ boot, seq }: OutboxEntry): string {
  return `${boot}:${seq}`;
}
