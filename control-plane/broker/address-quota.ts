// Bounds the connections one address may hold at a time. The count is of live ones, so it needs no clock.

import type { Server, Socket } from 'node:net';

/** Idle time before TCP asks whether the other side is still there. */
const KEEP_ALIVE_MS = 60_000;

export class AddressQuota {
  readonly #limit: number;
  readonly #counts = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when the address may have one more; then `release` must be called once it is gone. */
  take(address: string): boolean {
    const count = this.#counts.get(address) ?? 0;
    if (count >= this.#limit) return false;
    this.#counts.set(address, count + 1);
    return true;
  }

  release(address: string): void {
    const count = (this.#counts.get(address) ?? 0) - 1;
    if (count > 0) this.#counts.set(address, count);
    else this.#counts.delete(address);
  }
}

/** Destroys what is over the limit before TLS costs anything; answers the set of those that live. */
export function admitByAddress(server: Server, limit: number): ReadonlySet<Socket> {
  const quota = new AddressQuota(limit);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if (!quota.take(address)) return void socket.destroy();
    sockets.add(socket);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.once('close', () => {
      sockets.delete(socket);
      quota.release(address);
    });
  });
  return sockets;
}
