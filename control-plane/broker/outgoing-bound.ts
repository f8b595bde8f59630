// Counts what waits to be read by the other end. A packet of four bytes costs the queue far more than four
// bytes of memory, so every entry is counted with its overhead.

/** A queue entry with its buffer's header, in V8. */
const ENTRY_OVERHEAD_BYTES = 256;

export class OutgoingBound {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False when there is no room for one more entry of this length. */
  add(lengthBytes: number): boolean {
    this.#heldBytes += lengthBytes + ENTRY_OVERHEAD_BYTES;
    return this.#heldBytes <= this.#maxBytes;
  }

  /** Entries that the other end has taken. */
  remove(entries: number, lengthBytes: number): void {
    this.#heldBytes -= lengthBytes + entries * ENTRY_OVERHEAD_BYTES;
  }
}
