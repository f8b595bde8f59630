// The embedded MQTT 3.1.1 broker: aedes behind TLS 1.3 with client certificates. INVARIANTS: nobody reaches
// MQTT without a certificate of the device CA; connections of an address, time to connect, bytes and rates
// are bounded, before CONNECT is answered and after; a device that is not known any more is not connected.

import { createServer, type TLSSocket } from 'node:tls';
import type { Logger } from '../logger.ts';
import { repeat } from '../repeated.ts';
import { Admission, admitConnections } from './admission.ts';
import { createGuardedAedes } from './guarded-aedes.ts';
import { DEFAULT_LIMITS, type BrokerLimits } from './limits.ts';
import { LimitedConnection } from './limited-connection.ts';
import { closeServer, listenOn } from './listen.ts';
import { LiveConnections, type IsKnownDevice } from './live-connections.ts';
import { peerIdentity } from './peer-identity.ts';
import { revokedSerials } from './revocation-list.ts';
import { serverCredentials, type TlsCredentials } from './tls-credentials.ts';

export interface BrokerOptions {
  readonly fleet: string;
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly tls: TlsCredentials;
  /** Devices that were never enrolled, are no longer, or have another key now, are refused whatever they hold. */
  readonly isKnownDevice: IsKnownDevice;
  readonly logger: Logger;
  readonly limits?: Partial<BrokerLimits>;
}

export interface EmbeddedBroker extends AsyncDisposable {
  readonly port: number;
  /** Certificates take effect for connections made from now on; revocations also for those that are there. */
  renewCredentials(tls: TlsCredentials): void;
  /** Ends whatever the device has open, at once. Its will is published. */
  disconnect(deviceId: string): void;
}

/** Starts listening. Errors: `port-busy`, `bad-config`. */
export async function startBroker(options: BrokerOptions): Promise<EmbeddedBroker> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { isKnownDevice, logger } = options;
  await using stack = new AsyncDisposableStack();
  let revoked = await revokedSerials(options.tls.crlPem, logger, new Date());
  const broker = await createGuardedAedes({ ...options, limits });
  stack.defer(() => new Promise<void>((resolve) => broker.close(resolve)));
  const live = new LiveConnections();
  const admission = new Admission(limits);
  const server = createServer({
    ...serverCredentials(options.tls),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: limits.connectTimeoutMs,
    noDelay: true,
  });
  const sockets = admitConnections(server, admission);
  server.on('tlsClientError', (error, socket) => {
    logger.debug('mqtt: TLS refused', { address: socket.remoteAddress, why: error.message });
    // Node leaves a socket open whose handshake took too long.
    socket.destroy();
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const peer = peerIdentity(socket);
    if (peer === null || revoked.has(peer.serialNumber)) {
      logger.warn('mqtt: certificate refused', { client: peer?.name, address: socket.remoteAddress });
      socket.on('error', () => undefined);
      return void socket.destroy();
    }
    const connection: LimitedConnection = new LimitedConnection(socket, peer, {
      limits,
      onAccepted() {
        live.accepted(connection);
        admission.accepted(connection.remoteAddress);
        connection.once('close', () => admission.acceptedClosed(connection.remoteAddress));
      },
    });
    live.add(connection);
    broker.handle(connection);
  });
  const port = await listenOn(server, options.host, options.port, 'HOLDFAST_MQTT_PORT');
  stack.defer(() => closeServer(server, sockets));
  stack.use(
    repeat({
      name: 'the check of connected devices',
      everyMs: limits.recheckIntervalMs,
      log: logger,
      async run() {
        live.disconnectExpired(Date.now());
        await live.recheck(isKnownDevice, logger);
      },
    }),
  );
  const owned = stack.move();
  return {
    port,
    renewCredentials(tls) {
      server.setSecureContext(serverCredentials(tls));
      revokedSerials(tls.crlPem, logger, new Date()).then(
        (serials) => {
          revoked = serials;
          live.disconnectRevoked(serials);
        },
        (error: unknown) => logger.error('mqtt: the revocation list stays as it was', { error }),
      );
    },
    disconnect: (deviceId) => live.disconnect(deviceId),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
