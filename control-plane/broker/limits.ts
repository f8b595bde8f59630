// What one client, one address and all together may take of the embedded broker. docs/broker.md shows this
// table; a test holds the two together.

import { MAX_PAYLOAD_BYTES } from '#protocol/messages.ts';

export interface BrokerLimits {
  /** Open at a time, whoever made them. */
  readonly connections: number;
  /** Open at a time from one IPv4 address, or one /64 of IPv6. */
  readonly connectionsPerAddress: number;
  /** Of those, the ones whose CONNECT has not been accepted. */
  readonly pendingPerAddress: number;
  /** For the TLS handshake, and then again until CONNECT is accepted. */
  readonly connectTimeoutMs: number;
  readonly maxKeepaliveS: number;
  /** All bytes until CONNECT is accepted. */
  readonly maxBytesBeforeConnack: number;
  /** A PUBLISH: payload, topic and packet id. */
  readonly maxPublishBytes: number;
  /** Any packet but CONNECT and PUBLISH. */
  readonly maxControlPacketBytes: number;
  /** QoS 2 messages of a client that it has not released; each may hold a whole payload. */
  readonly maxInboundInflight: number;
  /** Filters that a device may ask for during one connection. */
  readonly maxFilters: number;
  readonly packetsPerSecond: number;
  readonly packetBurst: number;
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  /** A client over its rate is read later; one that would have to wait longer than this is disconnected. */
  readonly maxHoldBackMs: number;
  /** What waits to be read by one device, overhead included. */
  readonly maxOutgoingBytes: number;
  /** How often every connected device is looked up again. */
  readonly recheckIntervalMs: number;
}

/** Topic, packet id and fixed header beside the payload. */
const PUBLISH_OVERHEAD_BYTES = 1_024;

export const DEFAULT_LIMITS: BrokerLimits = {
  connections: 20_000,
  connectionsPerAddress: 2_000,
  pendingPerAddress: 256,
  connectTimeoutMs: 10_000,
  maxKeepaliveS: 600,
  maxBytesBeforeConnack: 16 * 1024,
  maxPublishBytes: MAX_PAYLOAD_BYTES + PUBLISH_OVERHEAD_BYTES,
  maxControlPacketBytes: 4 * 1024,
  maxInboundInflight: 16,
  maxFilters: 32,
  packetsPerSecond: 200,
  packetBurst: 1_000,
  bytesPerSecond: 2 * 1024 ** 2,
  byteBurst: 4 * 1024 ** 2,
  maxHoldBackMs: 10_000,
  maxOutgoingBytes: 1024 ** 2,
  recheckIntervalMs: 20_000,
};
