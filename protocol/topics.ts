// MQTT topics: holdfast/v1/<fleet>/<device>/<leaf> (DESIGN.md section 5), and who may do what on them.

import { deviceIdSchema, fleetNameSchema } from './identifiers.ts';

export const TOPIC_LEAVES = [
  'desired', 'reported', 'presence', 'telemetry', 'events', 'command', 'reply', 'log', 'blob/request', 'blob/chunk',
] as const; // prettier-ignore
export type TopicLeaf = (typeof TOPIC_LEAVES)[number];

/** Leaves that a device reads; it writes all others of its own branch. */
const DEVICE_READS: ReadonlySet<TopicLeaf> = new Set(['desired', 'command', 'blob/chunk']);
const RETAINED: ReadonlySet<TopicLeaf> = new Set(['desired', 'reported', 'presence']);

export interface DeviceTopic {
  readonly fleet: string;
  readonly deviceId: string;
  readonly leaf: TopicLeaf;
}

export function deviceTopic(fleet: string, deviceId: string, leaf: TopicLeaf): string {
  return `holdfast/v1/${fleet}/${deviceId}/${leaf}`;
}

/** Subscription of the control plane to one leaf of every device of a fleet. */
export function fleetFilter(fleet: string, leaf: TopicLeaf): string {
  return `holdfast/v1/${fleet}/+/${leaf}`;
}

/** Null for anything that is not exactly a device topic. */
export function parseDeviceTopic(topic: string): DeviceTopic | null {
  const [root, version, fleet, deviceId, ...rest] = topic.split('/');
  const leaf = rest.join('/');
  if (root !== 'holdfast' || version !== 'v1') return null;
  if (!fleetNameSchema.safeParse(fleet).success || !deviceIdSchema.safeParse(deviceId).success) return null;
  if (!(TOPIC_LEAVES as readonly string[]).includes(leaf)) return null;
  return { fleet: fleet as string, deviceId: deviceId as string, leaf: leaf as TopicLeaf };
}

/** A device publishes only on the written leaves of its own branch. */
export function deviceMayPublish(fleet: string, deviceId: string, topic: string): boolean {
  const parsed = parseDeviceTopic(topic);
  return (
    parsed !== null &&
    parsed.fleet === fleet &&
    parsed.deviceId === deviceId &&
    !DEVICE_READS.has(parsed.leaf)
  );
}

/** A device subscribes only to exact read leaves of its own branch: no wildcard, no `$share`. */
export function deviceMaySubscribe(fleet: string, deviceId: string, filter: string): boolean {
  const parsed = parseDeviceTopic(filter);
  return (
    parsed !== null && parsed.fleet === fleet && parsed.deviceId === deviceId && DEVICE_READS.has(parsed.leaf)
  );
}

/** A device reads this leaf; else it writes it. */
export function isReadByDevice(leaf: TopicLeaf): boolean {
  return DEVICE_READS.has(leaf);
}

export function isRetained(leaf: TopicLeaf): boolean {
  return RETAINED.has(leaf);
}
