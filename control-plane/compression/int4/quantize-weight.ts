// A weight [K, N] as MatMulNBits wants it: blocks run down each column, two codes a byte, low half first.
// Source: the operator's page in ONNX Runtime's ContribOperators.md.

import { MIDDLE_CODE, type RoundBlock } from './block.ts';

export interface NBitsWeight {
  /** [N, blocks, blockSize / 2] uint8. */
  readonly codes: Uint8Array;
  /** [N, blocks] float32. */
  readonly scales: Float32Array;
  /** [N, ceil(blocks / 2)] uint8, two zero points a byte. */
  readonly zeroPoints: Uint8Array;
  /** Blocks in a column. */
  readonly blocks: number;
}

/** `weight` is row-major [rows, columns]; the last block of a column is filled up with zeros. */
export function quantizeWeight(
  weight: Float32Array,
  [rows, columns]: readonly [number, number],
  blockSize: number,
  round: RoundBlock,
): NBitsWeight {
  const blocks = Math.ceil(rows / blockSize);
  const blockBytes = blockSize / 2;
  const zeroPointBytes = Math.ceil(blocks / 2);
  const made: NBitsWeight = {
    codes: new Uint8Array(columns * blocks * blockBytes),
    scales: new Float32Array(columns * blocks),
    zeroPoints: new Uint8Array(columns * zeroPointBytes).fill(MIDDLE_CODE | (MIDDLE_CODE << 4)),
    blocks,
  };
  const values = new Float32Array(blockSize);
  const codes = new Uint8Array(blockSize);
  for (let column = 0; column < columns; column++) {
    for (let block = 0; block < blocks; block++) {
      const first = block * blockSize;
      const used = Math.min(blockSize, rows - first);
      for (let at = 0; at < used; at++) values[at] = weight[(first + at) * columns + column] as number;
      values.fill(0, used);
      if (block % 2 === 0) codes.fill(0);
      const { scale, zeroPoint } = round(values, used, codes);
      made.scales[column * blocks + block] = scale;
      setHalf(made.zeroPoints, column * zeroPointBytes * 2 + block, zeroPoint);
      const start = (column * blocks + block) * blockSize;
      for (let at = 0; at < blockSize; at++) setHalf(made.codes, start + at, codes[at] as number);
    }
  }
  return made;
}

function setHalf(bytes: Uint8Array, index: number, code: number): void {
  const at = Math.floor(index / 2);
  const old = bytes[at] as number;
  bytes[at] = index % 2 === 0 ? (old & 0xf0) | code : (old & 0x0f) | (code << 4);
}
