// Numbers the messages of this run of the control plane: what an envelope has beside its body.

import { randomUUID } from 'node:crypto';

export interface Stamp {
  readonly id: string;
  readonly seq: number;
  readonly boot: string;
  readonly sentAtMs: number;
}

export class MessageStamp {
  readonly #boot = randomUUID();
  readonly #nowMs: () => number;
  #seq = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  next(): Stamp {
    return { id: randomUUID(), seq: ++this.#seq, boot: this.#boot, sentAtMs: this.#nowMs() };
  }
}
