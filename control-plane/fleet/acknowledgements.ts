// Tells devices what of their outbox is stored. Acknowledgements of one (device, boot) are covered by the
// highest, so a batch needs one message each. One that is lost is given again when the device sends again.

import { encodeMessage } from '#protocol/messages.ts';
import { deviceTopic } from '#protocol/topics.ts';
import type { Messaging } from '../broker/messaging.ts';
import type { Logger } from '../logger.ts';
import type { MessageStamp } from './message-stamp.ts';

export interface AcknowledgementDeps {
  readonly fleet: string;
  readonly messaging: Messaging;
  readonly stamp: MessageStamp;
  readonly logger: Logger;
}

export class Acknowledgements {
  readonly #deps: AcknowledgementDeps;
  readonly #pending = new Map<string, { deviceId: string; boot: string; upToSeq: number }>();

  constructor(deps: AcknowledgementDeps) {
    this.#deps = deps;
  }

  add(deviceId: string, boot: string, upToSeq: number): void {
    const key = JSON.stringify([deviceId, boot]);
    if ((this.#pending.get(key)?.upToSeq ?? -1) < upToSeq)
      this.#pending.set(key, { deviceId, boot, upToSeq });
  }

  /** Sends what was added; call it after the commit. */
  flush(): void {
    const { fleet, messaging, stamp, logger } = this.#deps;
    for (const { deviceId, boot, upToSeq } of this.#pending.values()) {
      const payload = encodeMessage('command', { ...stamp.next(), body: { kind: 'ack', boot, upToSeq } });
      messaging
        .publish(deviceTopic(fleet, deviceId, 'command'), payload, { retain: false })
        .catch((error: unknown) => {
          logger.debug('an acknowledgement was not sent', { device: deviceId, error });
        });
    }
    this.#pending.clear();
  }
}
