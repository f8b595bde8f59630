// A device's MQTT message, decoded and ready to be applied.

import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { counterSchema } from '#protocol/identifiers.ts';
import { bootSchema, decodeMessage, type Envelope } from '#protocol/messages.ts';
import { parseDeviceTopic } from '#protocol/topics.ts';
import type { ReceivedMessage } from '../broker/messaging.ts';
import { windowProblem } from '../telemetry/window.ts';

export const DEVICE_LEAVES = ['presence', 'reported', 'events', 'telemetry'] as const;
export type DeviceLeaf = (typeof DEVICE_LEAVES)[number];

type Decoded = {
  readonly [L in DeviceLeaf]: { readonly leaf: L; readonly envelope: Envelope<L> };
}[DeviceLeaf];

/** An outbox entry this version cannot read: it is counted as stored, or nothing after it would ever be. */
interface Unreadable {
  readonly leaf: 'unreadable';
  readonly envelope: Pick<Envelope<'events'>, 'boot' | 'seq' | 'heldFromSeq'>;
  readonly why: string;
}

export type DeviceMessage = (Decoded | Unreadable) & {
  readonly deviceId: string;
  readonly isRetained: boolean;
};

const positionSchema = z.object({
  boot: bootSchema,
  seq: counterSchema,
  heldFromSeq: counterSchema.optional(),
});

/** Errors: `bad-request` for what is no device message and has no place in an outbox. */
export function deviceMessageOf({ topic, payload, isRetained }: ReceivedMessage): DeviceMessage {
  const parsed = parseDeviceTopic(topic);
  const leaf = DEVICE_LEAVES.find((name) => name === parsed?.leaf);
  if (parsed === null || leaf === undefined)
    throw new HoldfastError('bad-request', `${topic} is no topic of a device`);
  const { deviceId } = parsed;
  try {
    const message = { leaf, envelope: decodeMessage(leaf, payload), deviceId, isRetained } as DeviceMessage;
    const problem = message.leaf === 'telemetry' ? windowProblem(message.envelope.body) : null;
    if (problem === null) return message;
    throw new HoldfastError('bad-request', `refused a telemetry message: ${problem}`);
  } catch (error) {
    const position = leaf === 'events' || leaf === 'telemetry' ? positionOf(payload) : null;
    if (position === null || !(error instanceof HoldfastError)) throw error;
    return { leaf: 'unreadable', envelope: position, why: error.message, deviceId, isRetained };
  }
}

function positionOf(payload: Uint8Array): z.infer<typeof positionSchema> | null {
  try {
    return positionSchema.parse(JSON.parse(new TextDecoder().decode(payload)));
  } catch {
    return null;
  }
}
