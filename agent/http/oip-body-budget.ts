// Bytes of request bodies that are held at a time, over all requests: the queue bounds their number, this
// their size.

import type { IncomingMessage } from 'node:http';
import { OverloadedError } from '../supervisor/serving/overloaded-error.ts';

const RETRY_AFTER_MS = 1_000;

export class BodyBudget {
  readonly #maxBodyBytes: number;
  readonly #maxHeldBytes: number;
  #heldBytes = 0;
  #holders = 0;

  constructor(maxBodyBytes: number, maxHeldBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
    this.#maxHeldBytes = maxHeldBytes;
  }

  /** Sets a body's declared length aside, or the most it may be, until disposed. Throws `overloaded`. */
  hold(request: IncomingMessage): Disposable {
    const declared = Number(request.headers['content-length'] ?? this.#maxBodyBytes);
    const sizeBytes = Math.min(declared, this.#maxBodyBytes);
    if (this.#heldBytes + sizeBytes > this.#maxHeldBytes)
      throw new OverloadedError(this.#holders, RETRY_AFTER_MS);
    this.#heldBytes += sizeBytes;
    this.#holders++;
    return {
      [Symbol.dispose]: () => {
        this.#heldBytes -= sizeBytes;
        this.#holders--;
      },
    };
  }
}
