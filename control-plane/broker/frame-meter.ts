// Follows MQTT fixed headers through a byte stream and says when a sender goes over its bounds, before
// anybody buffers what it sends. Pure. Source: MQTT 3.1.1, sections 2.2 (fixed header) and 3.1 (CONNECT).

const CONNECT = 1;
const PUBLISH = 3;
/** PUBLISH, PUBACK to PUBCOMP, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT (table 2.1). */
const SENT_BY_CLIENTS: ReadonlySet<number> = new Set([CONNECT, PUBLISH, 4, 5, 6, 7, 8, 10, 12, 14]);
/** Remaining length takes at most 4 bytes [MQTT-2.2.3]. */
const MAX_LENGTH_BYTES = 4;

export interface FrameLimits {
  readonly maxBytesBeforeConnack: number;
  readonly maxPublishBytes: number;
  readonly maxControlPacketBytes: number;
}

export class FrameMeter {
  readonly #limits: FrameLimits;
  #isOpen = false;
  #totalBytes = 0;
  #packets = 0;
  #maxLength = 0;
  /** Bytes of the present packet's body still to come; -1 while its fixed header is being read. */
  #bodyBytesLeft = 0;
  #lengthBytes = 0;
  #length = 0;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** Packets that have begun. */
  get packets(): number {
    return this.#packets;
  }

  /** The sender was let in: from now on only the size of each packet is bounded. */
  open(): void {
    this.#isOpen = true;
  }

  /** What is wrong once `chunk` is in, or null. After an answer other than null nothing more may be read. */
  accept(chunk: Uint8Array): string | null {
    const { maxBytesBeforeConnack } = this.#limits;
    this.#totalBytes += chunk.length;
    if (!this.#isOpen && this.#totalBytes > maxBytesBeforeConnack) {
      return `more than ${maxBytesBeforeConnack} bytes before the connection was accepted`;
    }
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyBytesLeft > 0) {
        const taken = Math.min(this.#bodyBytesLeft, chunk.length - at);
        this.#bodyBytesLeft -= taken;
        at += taken;
        continue;
      }
      const byte = chunk[at] as number;
      const wrong = this.#bodyBytesLeft === 0 ? this.#acceptType(byte >> 4) : this.#acceptLengthByte(byte);
      if (wrong !== null) return wrong;
      at++;
    }
    return null;
  }

  #acceptType(type: number): string | null {
    this.#bodyBytesLeft = -1;
    this.#lengthBytes = 0;
    this.#length = 0;
    const isFirst = this.#packets++ === 0;
    if (isFirst && type !== CONNECT) return 'the first packet is not CONNECT';
    if (!isFirst && type === CONNECT) return 'a second CONNECT';
    if (!SENT_BY_CLIENTS.has(type)) return `a packet of type ${type}, which no client sends`;
    const { maxBytesBeforeConnack, maxPublishBytes, maxControlPacketBytes } = this.#limits;
    if (isFirst) this.#maxLength = maxBytesBeforeConnack;
    else this.#maxLength = type === PUBLISH ? maxPublishBytes : maxControlPacketBytes;
    return null;
  }

  #acceptLengthByte(byte: number): string | null {
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes++;
    if (this.#length > this.#maxLength) return `a packet is longer than ${this.#maxLength} bytes`;
    if ((byte & 0x80) === 0) {
      this.#bodyBytesLeft = this.#length;
      return null;
    }
    return this.#lengthBytes === MAX_LENGTH_BYTES ? 'a malformed remaining length' : null;
  }
}
