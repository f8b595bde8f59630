// Protobuf fields written by hand, for files that no encoder would write.

/** A field of bytes: tag, length, payload. */
export function bytesField(number: number, payload: Uint8Array | string): Uint8Array {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.byteLength), bytes]);
}

export function varintField(number: number, value: number | bigint): Uint8Array {
  return Buffer.concat([varint(number << 3), varint(value)]);
}

/** Negative numbers take ten bytes, as protobuf has it. */
export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

export function repeatBytes(part: Uint8Array, times: number): Uint8Array {
  const whole = new Uint8Array(part.byteLength * times);
  for (let at = 0; at < whole.byteLength; at += part.byteLength) whole.set(part, at);
  return whole;
}
