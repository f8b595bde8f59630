// aedes with Holdfast's rules. INVARIANTS: identity is the certificate's common name and equals the client
// id; a will is authorised as a publish is, at CONNECT; nothing is queued for a client that is not
// connected, so that memory is bounded by connections and retained messages.

import type { EventEmitter } from 'node:events';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import { HoldfastError } from '#protocol/errors.ts';
import type { Logger } from '../logger.ts';
import {
  CONTROL_PLANE_ID,
  NOT_AUTHORIZED,
  SERVER_UNAVAILABLE,
  mayPublish,
  maySubscribe,
  refuseConnect,
} from './access-rules.ts';
import type { ConnectRequest } from './access-rules.ts';
import type { BrokerLimits } from './limits.ts';
import { LimitedConnection } from './limited-connection.ts';
import type { IsKnownDevice } from './live-connections.ts';
import type { PeerIdentity } from './peer-identity.ts';

export interface GuardOptions {
  readonly fleet: string;
  readonly isKnownDevice: IsKnownDevice;
  readonly logger: Logger;
  readonly limits: BrokerLimits;
}

const MAX_TOPIC_LEVELS = 8;
/** Of what a client sent, in a log line. */
const MAX_LOGGED_LENGTH = 200;

/** A running broker; hand it `LimitedConnection`s only. Close it with `close`. */
export async function createGuardedAedes(options: GuardOptions): Promise<Aedes> {
  const { fleet, logger, limits } = options;
  const requests = new WeakMap<Client, ConnectRequest>();
  const filters = new WeakMap<Client, number>();
  const broker = await Aedes.createBroker({
    connectTimeout: limits.connectTimeoutMs,
    keepaliveLimit: limits.maxKeepaliveS,
    maxInflightInbound: limits.maxInboundInflight,
    maxTopicLevels: MAX_TOPIC_LEVELS,
    preConnect(client, packet, done) {
      if (!(client.conn instanceof LimitedConnection)) return done(null, false);
      const { clientId, protocolVersion = 0, will } = packet;
      requests.set(client, { peer: client.conn.peer, clientId, protocolVersion, will });
      // A session that outlives its connection would queue without bound; CONNACK says that there is none.
      packet.clean = true;
      done(null, true);
    },
    authenticate(client, _username, _password, done) {
      const refuse = (returnCode: number, reason: string) => {
        logger.warn('mqtt: connection refused', { client: shown(client.id), why: shown(reason) });
        done(authenticateError(returnCode, reason), false);
      };
      const request = requests.get(client);
      if (request === undefined) return refuse(NOT_AUTHORIZED, 'no CONNECT');
      const refusal = refuseConnect(fleet, request);
      if (refusal !== null) return refuse(refusal.returnCode, refusal.reason);
      if (request.peer.kind === 'service') return done(null, true);
      lookUp(options, request.peer).then(
        (isKnown) =>
          isKnown ? done(null, true) : refuse(NOT_AUTHORIZED, 'the device is not enrolled with this key'),
        (error: unknown) => refuse(SERVER_UNAVAILABLE, `the device could not be looked up: ${String(error)}`),
      );
    },
    authorizePublish(client, packet, done) {
      // Without a client it is a will of a connection that another broker process left.
      if (client !== null && mayPublish(fleet, client.id, packet.topic, packet.retain)) return done(null);
      logger.warn('mqtt: publish refused', { client: client?.id, topic: shown(packet.topic) });
      done(
        new HoldfastError('forbidden', `${client?.id ?? 'nobody'} may not publish on ${shown(packet.topic)}`),
      );
    },
    authorizeSubscribe(client, subscription, done) {
      const asked = (filters.get(client) ?? 0) + 1;
      filters.set(client, asked);
      if (client.id !== CONTROL_PLANE_ID && asked > limits.maxFilters) {
        client.conn.destroy(new HoldfastError('rate-limited', `more than ${limits.maxFilters} filters`));
        return done(null, null);
      }
      if (maySubscribe(fleet, client.id, subscription.topic)) return done(null, subscription);
      logger.warn('mqtt: subscription refused', { client: client.id, filter: shown(subscription.topic) });
      // null is answered as 0x80, failure [MQTT-3.9.3-1].
      done(null, null);
    },
  });
  broker.on('connackSent', ({ returnCode }, { conn }) => {
    if (returnCode === 0 && conn instanceof LimitedConnection) conn.accepted();
  });
  for (const event of ['clientError', 'connectionError'] as const) {
    broker.on(event, ({ id, conn }: Client, { message }: Error) => {
      const address = conn instanceof LimitedConnection ? conn.remoteAddress : undefined;
      logger.debug('mqtt: connection ended', { client: id, address, why: message });
    });
  }
  (broker as EventEmitter).on('error', (error: unknown) => logger.error('mqtt: broker failed', { error }));
  return broker;
}

/** Async, so that whatever goes wrong is a rejection and never ends the broker. */
async function lookUp(options: GuardOptions, { name, keySha256 }: PeerIdentity): Promise<boolean> {
  return await options.isKnownDevice(name, keySha256);
}

function shown(text: string): string {
  return text.length > MAX_LOGGED_LENGTH ? `${text.slice(0, MAX_LOGGED_LENGTH)}…` : text;
}

function authenticateError(returnCode: number, reason: string): AuthenticateError {
  return Object.assign(new Error(reason), { returnCode });
}
