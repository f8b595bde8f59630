// Energy of a signal and of its difference from another, added up over samples.

export class NoiseEnergy {
  #signal = 0;
  #noise = 0;

  /** Throws `RangeError` on lists of unequal length. */
  add(expected: Float32Array, actual: Float32Array | undefined): void {
    if (actual?.length !== expected.length) throw new RangeError('a tensor has changed its size');
    for (let at = 0; at < expected.length; at++) {
      const right = expected[at] as number;
      this.#signal += right * right;
      this.#noise += (right - (actual[at] as number)) ** 2;
    }
  }

  /** Noise as a share of the signal: 0 where they do not differ, infinite for NaN or noise on nothing. */
  get share(): number {
    if (this.#noise === 0) return 0;
    const share = this.#noise / this.#signal;
    return Number.isNaN(share) ? Infinity : share;
  }
}

/** Decibels of a signal against its noise. */
export function toSqnrDb(share: number): number {
  return -10 * Math.log10(share);
}
