// The connections behind the TLS handshake, by the name in their certificates: to end a device's at once, and
// to look every connected device up again, so that a revocation made elsewhere is enforced too. INVARIANT: of
// one name at most one accepted connection lives, the latest [MQTT-3.1.4-2]; aedes alone can lose count when
// an old one is closing just then.

import { HoldfastError } from '#protocol/errors.ts';
import type { Logger } from '../logger.ts';
import type { LimitedConnection } from './limited-connection.ts';

const NOT_ALLOWED = 'the device may not be connected any more';

/** Whether a device may be connected now, with the key (sha256 of its SPKI, hex) of the certificate that it shows. */
export type IsKnownDevice = (deviceId: string, keySha256: string) => Promise<boolean>;

export class LiveConnections {
  readonly #byName = new Map<string, Set<LimitedConnection>>();

  /** Until it closes. */
  add(connection: LimitedConnection): void {
    const { name } = connection.peer;
    const same = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, same.add(connection));
    connection.once('close', () => {
      same.delete(connection);
      if (same.size === 0 && this.#byName.get(name) === same) this.#byName.delete(name);
    });
  }

  /** Ends older accepted connections of the same name. */
  accepted(connection: LimitedConnection): void {
    for (const other of this.#byName.get(connection.peer.name) ?? []) {
      if (other !== connection && other.isAccepted) end(other, 'a newer connection took over');
    }
  }

  /** Ends all of a device, accepted or not. */
  disconnect(deviceId: string): void {
    for (const connection of this.#byName.get(deviceId) ?? []) {
      if (connection.peer.kind === 'device') end(connection, NOT_ALLOWED);
    }
  }

  disconnectRevoked(revoked: ReadonlySet<string>): void {
    for (const connection of [...this.#byName.values()].flatMap((same) => [...same])) {
      if (revoked.has(connection.peer.serialNumber)) end(connection, 'its certificate was revoked');
    }
  }

  /** TLS looks at the date of a certificate once only. */
  disconnectExpired(nowMs: number): void {
    for (const connection of [...this.#byName.values()].flatMap((same) => [...same])) {
      if (connection.peer.expiresAtMs < nowMs) end(connection, 'its certificate has expired');
    }
  }

  /** Ends devices that are not known any more; while they cannot be looked up, nobody. */
  async recheck(isKnownDevice: IsKnownDevice, logger: Logger): Promise<void> {
    for (const connection of [...this.#byName.values()].flatMap((same) => [...same])) {
      const { kind, name, keySha256 } = connection.peer;
      if (kind !== 'device' || (await isKnownDevice(name, keySha256))) continue;
      logger.warn('mqtt: a connected device is not allowed any more', { client: name });
      end(connection, NOT_ALLOWED);
    }
  }
}

function end(connection: LimitedConnection, why: string): void {
  connection.destroy(new HoldfastError('forbidden', why));
}
