// Connections that send what no client sends.

import { connect as tcpConnect, type Socket } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import type { TlsCredentials } from '#control-plane/broker/tls-credentials.ts';

const CHUNK = Buffer.alloc(64 * 1024, 0x41);

export const HUGE_BYTES = 256 * 1024 ** 2;
/** Fixed headers that declare 256 MiB - 1, the most that MQTT can say. */
export const HUGE_CONNECT = Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]);
export const HUGE_PUBLISH = Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]);

/** Over TLS; without credentials the handshake ends on this side only. */
export async function openTls(port: number, caPem: string, tls?: TlsCredentials): Promise<TLSSocket> {
  const own = tls === undefined ? {} : { cert: tls.certificatePem, key: tls.privateKeyPem };
  const socket = tlsConnect({ host: '127.0.0.1', port, ca: caPem, ...own });
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()));
  return socket;
}

export async function openTcp(port: number): Promise<Socket> {
  const socket = tcpConnect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  return socket;
}

/** The bytes of a CONNECT of MQTT 3.1.1 with a clean session. */
export function connectPacket(clientId: string): Buffer {
  const id = Buffer.from(clientId);
  const head = [0x10, 12 + id.length, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 60, 0, id.length];
  return Buffer.concat([Buffer.from(head), id]);
}

/** Connects as MQTT 3.1.1 and waits for CONNACK 0. */
export async function connectRaw(socket: Socket, clientId: string): Promise<void> {
  const answer = new Promise<Buffer>((resolve) => socket.once('data', resolve));
  socket.write(connectPacket(clientId));
  if (!(await answer).equals(Buffer.from([0x20, 2, 0, 0]))) throw new Error('CONNECT was refused');
}

/** Sends until the other end closes or `maxBytes` are sent; answers how many the other end's queue took. */
export async function flood(socket: Socket, first: Buffer, maxBytes = HUGE_BYTES): Promise<number> {
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.resume();
  socket.write(first);
  let sentBytes = 0;
  while (!socket.destroyed && sentBytes < maxBytes) {
    sentBytes += CHUNK.length;
    if (socket.write(CHUNK)) continue;
    await Promise.race([new Promise<void>((resolve) => socket.once('drain', () => resolve())), closed]);
  }
  socket.destroy();
  await closed;
  return sentBytes;
}
