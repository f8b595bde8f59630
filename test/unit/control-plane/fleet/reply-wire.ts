// A broker of which the test is the devices' side: what they are asked, and what they answer.

import type { Messaging, ReceivedMessage } from '#control-plane/broker/messaging.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { decodeMessage, encodeMessage } from '#protocol/messages.ts';
import type { MeasureCommand, ReplyBody } from '#protocol/measurement.ts';
import { deviceTopic, parseDeviceTopic } from '#protocol/topics.ts';

export class ReplyWire {
  /** Requests that got out, as [device, body]. */
  readonly asked: [string, MeasureCommand][] = [];
  /** Called with each request that got out. */
  onAsked: (deviceId: string, command: MeasureCommand) => void = () => undefined;
  /** So many times there is no connection. */
  failures = 0;
  #handler: (message: ReceivedMessage) => void = () => undefined;

  readonly messaging: Pick<Messaging, 'publish' | 'subscribe'> = {
    publish: async (topic, payload) => {
      await Promise.resolve();
      if (this.failures-- > 0) throw new HoldfastError('unavailable', 'no connection');
      const deviceId = parseDeviceTopic(topic)?.deviceId ?? '';
      const { body } = decodeMessage('command', payload);
      if (body.kind !== 'measure') throw new Error(`a device was told ${body.kind}`);
      this.asked.push([deviceId, body]);
      this.onAsked(deviceId, body);
    },
    subscribe: (_filter, handler) => {
      this.#handler = (message) => void handler(message);
      return Promise.resolve();
    },
  };

  answer(deviceId: string, body: ReplyBody): void {
    const payload = encodeMessage('reply', { id: 'i', seq: 1, boot: 'b', sentAtMs: 1, body });
    this.say(deviceId, payload);
  }

  say(deviceId: string, text: string): void {
    const payload = Buffer.from(text);
    this.#handler({ topic: deviceTopic('lab', deviceId, 'reply'), payload, isRetained: false });
  }
}
