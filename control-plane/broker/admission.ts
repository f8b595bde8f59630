// Bounds the connections that one address, and all together, may hold at a time. The counts are of live
// ones, so they need no clock. Whoever has many IPv6 addresses has a /64 of them, so that counts as one.

import type { Server, Socket } from 'node:net';
import type { BrokerLimits } from './limits.ts';

/** Idle time before TCP asks whether the other side is still there. */
const KEEP_ALIVE_MS = 60_000;

type AdmissionLimits = Pick<BrokerLimits, 'connections' | 'connectionsPerAddress' | 'pendingPerAddress'>;

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #open = new Map<string, number>();
  readonly #accepted = new Map<string, number>();
  #total = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** True when the address may have one more; then `closed` must be called once it is gone. */
  mayOpen(address: string): boolean {
    const key = addressKey(address);
    const open = this.#open.get(key) ?? 0;
    const pending = open - (this.#accepted.get(key) ?? 0);
    const { connections, connectionsPerAddress, pendingPerAddress } = this.#limits;
    if (this.#total >= connections || open >= connectionsPerAddress || pending >= pendingPerAddress) {
      return false;
    }
    this.#total++;
    add(this.#open, key, 1);
    return true;
  }

  closed(address: string): void {
    this.#total--;
    add(this.#open, addressKey(address), -1);
  }

  /** A connection of the address is pending no more; `acceptedClosed` must be called once it is gone. */
  accepted(address: string): void {
    add(this.#accepted, addressKey(address), 1);
  }

  acceptedClosed(address: string): void {
    add(this.#accepted, addressKey(address), -1);
  }
}

/** Destroys what is over the limits before TLS costs anything; answers the set of those that live. */
export function admitConnections(server: Server, admission: Admission): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if (!admission.mayOpen(address)) return void socket.destroy();
    sockets.add(socket);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.once('close', () => {
      sockets.delete(socket);
      admission.closed(address);
    });
  });
  return sockets;
}

/** The same by address alone. */
export function admitByAddress(server: Server, connectionsPerAddress: number): ReadonlySet<Socket> {
  const others = { connections: Infinity, pendingPerAddress: Infinity };
  return admitConnections(server, new Admission({ ...others, connectionsPerAddress }));
}

/** IPv4 as it is, also where it is written as IPv6; of IPv6 the first four groups. Without a zone. */
export function addressKey(address: string): string {
  const [bare = ''] = address.toLowerCase().split('%');
  if (bare.startsWith('::ffff:') && bare.includes('.')) return bare.slice('::ffff:'.length);
  if (!bare.includes(':')) return bare;
  const [head = '', tail] = bare.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length;
    while (groups.length < 8 - after) groups.push('0');
    groups.push(...(tail === '' ? [] : tail.split(':')));
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
