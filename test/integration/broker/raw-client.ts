// An MQTT client that may say anything: packets as bytes, and whatever comes back. Source: MQTT 3.1.1, section 3.

import type { TLSSocket } from 'node:tls';

export type Bytes = string | Uint8Array;

export interface RawConnect {
  readonly clientId: Bytes;
  readonly level?: number;
  readonly will?: { readonly topic: Bytes; readonly payload: string; readonly retain: boolean };
}

export interface RawMessage {
  readonly topic: string;
  readonly payload: string;
}

const CONNACK = 2;
const PUBLISH = 3;
const SUBACK = 9;
const PINGRESP = 13;

export class RawClient {
  readonly #socket: TLSSocket;
  readonly messages: RawMessage[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  readonly #answers: { readonly type: number; readonly body: Buffer }[] = [];
  #wake: () => void = () => undefined;
  #isClosed = false;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  send(packet: Uint8Array): void {
    this.#socket.write(packet);
  }

  /** True for CONNACK 0. */
  async connect(options: RawConnect): Promise<boolean> {
    this.send(connectPacket(options));
    return (await this.#answer(CONNACK))?.[1] === 0;
  }

  /** False when the connection was closed in place of SUBACK. */
  async subscribe(filter: Bytes): Promise<boolean> {
    this.send(packet(0x82, Buffer.from([0, 1]), text(filter), Buffer.from([1])));
    return (await this.#answer(SUBACK)) !== null;
  }

  publish(topic: Bytes, payload: string, retain: boolean): void {
    this.send(publishPacket(topic, payload, retain));
  }

  /** Whether the connection is still good for anything. */
  async isAlive(): Promise<boolean> {
    this.send(Buffer.from([0xc0, 0]));
    return (await this.#answer(PINGRESP)) !== null;
  }

  /** The first message that passes, or null once the connection is closed. */
  async message(isWanted: (message: RawMessage) => boolean): Promise<RawMessage | null> {
    for (;;) {
      const found = this.messages.find(isWanted);
      if (found !== undefined || this.#isClosed) return found ?? null;
      await this.#change();
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #answer(type: number): Promise<Buffer | null> {
    for (;;) {
      const at = this.#answers.findIndex((answer) => answer.type === type);
      if (at >= 0) return this.#answers.splice(at, 1)[0]?.body ?? null;
      if (this.#isClosed) return null;
      await this.#change();
    }
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (let next = this.#next(); next !== null; next = this.#next()) {
      if (next.type === PUBLISH) this.messages.push(messageOf(next.head, next.body));
      else this.#answers.push(next);
    }
    this.#wake();
  }

  #next(): { type: number; head: number; body: Buffer } | null {
    let length = 0;
    for (let i = 1; i < this.#bytes.length; i++) {
      const byte = this.#bytes[i] as number;
      length += (byte & 0x7f) * 128 ** (i - 1);
      if (byte >= 0x80) continue;
      if (this.#bytes.length < i + 1 + length) return null;
      const head = this.#bytes[0] as number;
      const body = this.#bytes.subarray(i + 1, i + 1 + length);
      this.#bytes = this.#bytes.subarray(i + 1 + length);
      return { type: head >> 4, head, body };
    }
    return null;
  }
}

export function connectPacket({ clientId, level = 4, will }: RawConnect): Uint8Array {
  const flags = 0x02 | (will === undefined ? 0 : 0x04 | (will.retain ? 0x20 : 0));
  const name = text(level === 3 ? 'MQIsdp' : 'MQTT');
  const properties = level === 5 ? Buffer.from([0]) : Buffer.alloc(0);
  const last = will === undefined ? [] : [properties, text(will.topic), text(will.payload)];
  return packet(0x10, name, Buffer.from([level, flags, 0, 60]), properties, text(clientId), ...last);
}

export function publishPacket(topic: Bytes, payload: string, retain: boolean): Uint8Array {
  return packet(0x32 | (retain ? 1 : 0), text(topic), Buffer.from([0, 2]), Buffer.from(payload));
}

function messageOf(head: number, body: Buffer): RawMessage {
  const topicBytes = body.readUInt16BE(0);
  const hasId = (head & 0x06) !== 0;
  return {
    topic: body.subarray(2, 2 + topicBytes).toString(),
    payload: body.subarray(2 + topicBytes + (hasId ? 2 : 0)).toString(),
  };
}

function text(value: Bytes): Buffer {
  const bytes = Buffer.from(typeof value === 'string' ? Buffer.from(value) : value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function packet(head: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const header = [head];
  let rest = body.length;
  do {
    header.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), body]);
}
