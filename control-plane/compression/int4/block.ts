// One block of a weight's column in 4 bits: real = scale * (code - zeroPoint), codes 0 to 15.

/** What the codes of one block mean. */
export interface BlockParams {
  /** A float32 number. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * Rounds one block. `values` holds a block of a column, zeros after the first `used`; `codes`, as long, holds the
 * codes of the block before in the same pair of blocks, or zeros, and is overwritten.
 */
export type RoundBlock = (values: Float32Array, used: number, codes: Uint8Array) => BlockParams;

export const HIGHEST_CODE = 15;
/** The zero point of symmetric blocks, and of a block that is not there. */
export const MIDDLE_CODE = 8;
