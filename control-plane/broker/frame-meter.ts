// Follows MQTT fixed headers through a byte stream and says when a sender goes over its bounds, before
// anybody buffers what it sends. Pure. Source: MQTT 3.1.1, sections 2.2 (fixed header) and 3.1 (CONNECT).

const CONNECT = 1;
/** Remaining length takes at most 4 bytes [MQTT-2.2.3]. */
const MAX_LENGTH_BYTES = 4;

export interface FrameLimits {
  /** Bytes a sender may send until it has been let in. */
  readonly maxBytesBeforeOpen: number;
  /** Remaining length of any packet. */
  readonly maxPacketBytes: number;
}

export class FrameMeter {
  readonly #limits: FrameLimits;
  #isOpen = false;
  #totalBytes = 0;
  #packets = 0;
  /** Bytes of the present packet's body still to come; -1 while its fixed header is being read. */
  #bodyBytesLeft = 0;
  #lengthBytes = 0;
  #length = 0;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** The sender was let in: from now on only the size of each packet is bounded. */
  open(): void {
    this.#isOpen = true;
  }

  /** What is wrong once `chunk` is in, or null. After an answer other than null nothing more may be read. */
  accept(chunk: Uint8Array): string | null {
    this.#totalBytes += chunk.length;
    if (!this.#isOpen && this.#totalBytes > this.#limits.maxBytesBeforeOpen) {
      return `more than ${this.#limits.maxBytesBeforeOpen} bytes before the connection was accepted`;
    }
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyBytesLeft > 0) {
        const taken = Math.min(this.#bodyBytesLeft, chunk.length - at);
        this.#bodyBytesLeft -= taken;
        at += taken;
        continue;
      }
      const wrong = this.#acceptHeaderByte(chunk[at] as number);
      if (wrong !== null) return wrong;
      at++;
    }
    return null;
  }

  #acceptHeaderByte(byte: number): string | null {
    if (this.#bodyBytesLeft === 0) {
      this.#bodyBytesLeft = -1;
      this.#lengthBytes = 0;
      this.#length = 0;
      const isFirst = this.#packets++ === 0;
      return isFirst && byte >> 4 !== CONNECT ? 'the first packet is not CONNECT' : null;
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes++;
    if (this.#length > this.#limits.maxPacketBytes) {
      return `a packet is longer than ${this.#limits.maxPacketBytes} bytes`;
    }
    if ((byte & 0x80) === 0) {
      this.#bodyBytesLeft = this.#length;
      return null;
    }
    return this.#lengthBytes === MAX_LENGTH_BYTES ? 'a malformed remaining length' : null;
  }
}
