// The embedded MQTT 3.1.1 broker: aedes behind TLS 1.3 with client certificates. INVARIANTS: nobody reaches
// MQTT without a certificate of the device CA; connections of an address, time to connect and bytes are
// bounded, before CONNECT is answered and after.

import { createServer, type TLSSocket } from 'node:tls';
import { MAX_PAYLOAD_BYTES } from '#protocol/messages.ts';
import type { Logger } from '../logger.ts';
import { admitByAddress } from './address-quota.ts';
import { LimitedConnection } from './byte-limiter.ts';
import { createGuardedAedes, type GuardLimits } from './guarded-aedes.ts';
import { closeServer, listenOn } from './listen.ts';
import { peerIdentity } from './peer-identity.ts';
import { serverCredentials, type TlsCredentials } from './tls-credentials.ts';

export interface BrokerOptions {
  readonly fleet: string;
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly tls: TlsCredentials;
  /** Devices that were never enrolled, or are no longer, are refused whatever certificate they hold. */
  readonly isKnownDevice: (deviceId: string) => Promise<boolean>;
  readonly logger: Logger;
  readonly limits?: Partial<BrokerLimits>;
}

export interface BrokerLimits extends GuardLimits {
  readonly connectionsPerAddress: number;
  readonly maxBytesBeforeConnack: number;
}

export interface EmbeddedBroker extends AsyncDisposable {
  readonly port: number;
  /** Takes effect for connections made from now on. */
  renewCredentials(tls: TlsCredentials): void;
}

const DEFAULT_LIMITS: BrokerLimits = {
  connectionsPerAddress: 2_000,
  connectTimeoutMs: 10_000,
  maxBytesBeforeConnack: 16 * 1024,
  maxKeepaliveS: 600,
};
/** Topic, packet id and fixed header beside the payload. */
const PACKET_OVERHEAD_BYTES = 1_024;

/** Starts listening. Errors: `port-busy`, `bad-config`. */
export async function startBroker(options: BrokerOptions): Promise<EmbeddedBroker> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const broker = await createGuardedAedes({ ...options, limits });
  const server = createServer({
    ...serverCredentials(options.tls),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: limits.connectTimeoutMs,
  });
  const sockets = admitByAddress(server, limits.connectionsPerAddress);
  server.on('tlsClientError', (error, socket) => {
    options.logger.debug('mqtt: TLS refused', { address: socket.remoteAddress, why: error.message });
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const peer = peerIdentity(socket);
    if (peer === null) return void socket.destroy();
    const connection = new LimitedConnection(socket, peer, {
      maxBytesBeforeOpen: limits.maxBytesBeforeConnack,
      maxPacketBytes: MAX_PAYLOAD_BYTES + PACKET_OVERHEAD_BYTES,
    });
    broker.handle(connection);
  });
  try {
    const port = await listenOn(server, options.host, options.port, 'HOLDFAST_MQTT_PORT');
    return {
      port,
      renewCredentials: (tls) => server.setSecureContext(serverCredentials(tls)),
      async [Symbol.asyncDispose]() {
        await new Promise<void>((resolve) => broker.close(resolve));
        await closeServer(server, sockets);
      },
    };
  } catch (error) {
    await new Promise<void>((resolve) => broker.close(resolve));
    throw error;
  }
}
