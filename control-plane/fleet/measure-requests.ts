// Asks devices to time candidates and waits for their answers. Delivery is at least once both ways: a request
// is sent again until it is answered, and a device carries it out once. Invariant: every wait ends.

import { setInterval as every } from 'node:timers/promises';
import { HoldfastError } from '#protocol/errors.ts';
import { decodeMessage, encodeMessage } from '#protocol/messages.ts';
import type { MeasureCommand, ReplyBody } from '#protocol/measurement.ts';
import { deviceTopic, fleetFilter, parseDeviceTopic } from '#protocol/topics.ts';
import type { Messaging, ReceivedMessage } from '../broker/messaging.ts';
import type { Logger } from '../logger.ts';
import { MessageStamp } from './message-stamp.ts';

/** How often a request is sent, and what its answer gets beyond the deadline for the way there and back. */
const PATIENCE = { repeatMs: 10_000, graceMs: 5_000 };

export interface MeasureRequestsDeps {
  readonly fleet: string;
  readonly messaging: Pick<Messaging, 'publish' | 'subscribe'>;
  readonly logger: Logger;
  readonly nowMs: () => number;
  readonly patience?: typeof PATIENCE;
}

interface Waiting {
  readonly deviceId: string;
  readonly resolve: (answer: ReplyBody) => void;
}

export class MeasureRequests {
  readonly #deps: MeasureRequestsDeps;
  readonly #stamp: MessageStamp;
  readonly #patience: typeof PATIENCE;
  /** By request id. */
  readonly #waiting = new Map<string, Waiting>();

  private constructor(deps: MeasureRequestsDeps) {
    this.#deps = deps;
    this.#stamp = new MessageStamp(deps.nowMs);
    this.#patience = deps.patience ?? PATIENCE;
  }

  /** Listens to what devices answer. Errors: `unavailable`. */
  static async listen(deps: MeasureRequestsDeps): Promise<MeasureRequests> {
    const requests = new MeasureRequests(deps);
    await deps.messaging.subscribe(fleetFilter(deps.fleet, 'reply'), (message) => requests.#receive(message));
    return requests;
  }

  /** Null when no answer came within the request's deadline. Errors: `cancelled` once the signal is aborted. */
  async ask(deviceId: string, command: MeasureCommand, signal: AbortSignal): Promise<ReplyBody | null> {
    const { requestId, deadlineMs } = command;
    const answered = Promise.withResolvers<ReplyBody>();
    this.#waiting.set(requestId, { deviceId, resolve: answered.resolve });
    const late = AbortSignal.timeout(deadlineMs + this.#patience.graceMs);
    const over = new AbortController();
    try {
      const until = AbortSignal.any([signal, late, over.signal]);
      return await Promise.race([answered.promise, this.#sendUntil(deviceId, command, until)]);
    } catch (cause) {
      if (signal.aborted) throw new HoldfastError('cancelled', 'the measurement was stopped', { cause });
      if (late.aborted) return null;
      throw cause;
    } finally {
      over.abort();
      this.#waiting.delete(requestId);
    }
  }

  /** Rejects when the signal is aborted. */
  async #sendUntil(deviceId: string, command: MeasureCommand, signal: AbortSignal): Promise<never> {
    signal.throwIfAborted();
    await this.#send(deviceId, command);
    for await (const _ of every(this.#patience.repeatMs, null, { signal, ref: false })) {
      await this.#send(deviceId, command);
    }
    throw new HoldfastError('internal', 'a timer ended by itself');
  }

  async #send(deviceId: string, command: MeasureCommand): Promise<void> {
    const { fleet, messaging, logger } = this.#deps;
    const payload = encodeMessage('command', { ...this.#stamp.next(), body: command });
    try {
      await messaging.publish(deviceTopic(fleet, deviceId, 'command'), payload, { retain: false });
    } catch (error) {
      logger.debug('a device was not asked to measure; it is asked again', { device: deviceId, error });
    }
  }

  #receive({ topic, payload }: ReceivedMessage): void {
    try {
      const { body } = decodeMessage('reply', payload);
      const waiting = this.#waiting.get(body.requestId);
      // Nobody answers for another device; what comes late or again is of no use.
      if (waiting?.deviceId === parseDeviceTopic(topic)?.deviceId) waiting?.resolve(body);
    } catch (error) {
      this.#deps.logger.warn('a message was refused', { topic, error });
    }
  }
}
