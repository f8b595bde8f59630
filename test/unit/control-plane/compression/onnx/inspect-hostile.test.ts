import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inspectOnnx, type OnnxSummary } from '#control-plane/compression/onnx/inspect.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { convBytes } from '../small-models.ts';

/** What became of a file: a summary, or a refusal that is ours. Anything else fails the test. */
function outcome(bytes: Uint8Array): OnnxSummary | HoldfastError {
  try {
    return inspectOnnx(bytes);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}

test('a file cut off anywhere is refused with a code', () => {
  const bytes = convBytes();
  for (let length = 0; length < bytes.length; length++) {
    const result = outcome(bytes.subarray(0, length));
    expect(result, `${length} bytes`).toBeInstanceOf(HoldfastError);
    expect(result).toHaveProperty('code', 'onnx-malformed');
  }
});

test('one flipped byte anywhere gives a summary or a refusal, never a crash', () => {
  const bytes = convBytes();
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] as number) ^ flip;
      expect(outcome(damaged)).toBeDefined();
    }
  }
});

test('random bytes are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 2_000 }), (bytes) => {
      expect(outcome(bytes)).toBeInstanceOf(HoldfastError);
    }),
    { numRuns: 2_000 },
  );
});

test('random bytes within a model never crash it', () => {
  const bytes = convBytes();
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.uint8Array({ minLength: 1, maxLength: 64 }), (at, inserted) => {
      const damaged = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]);
      expect(outcome(damaged)).toBeDefined();
    }),
    { numRuns: 2_000 },
  );
});

test('a field that declares gigabytes costs nothing', () => {
  const hugeGraph = Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00);
  const before = process.memoryUsage().rss;
  expect(outcome(hugeGraph)).toHaveProperty('code', 'onnx-malformed');
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 ** 2);
});

test('twenty million empty fields are refused in bounded time', () => {
  const bytes = new Uint8Array(40_000_000);
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x0a; // field 1, no bytes
  const startedAt = performance.now();
  expect(outcome(bytes)).toHaveProperty('code', 'onnx-malformed');
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test('a tensor that reaches for bytes beyond its own message is refused', () => {
  const tensor = [0x08, 4, 0x10, 2, 0x4a, 4, 1, 2]; // dims 4, UINT8, raw data of 4 bytes: 2 are here
  const graph = [0x2a, tensor.length, ...tensor, 0x52, 0x00]; // then an empty doc string
  const file = (body: number[]) => Uint8Array.of(0x08, 8, 0x3a, body.length, ...body, 0x42, 2, 0x10, 17);
  expect(outcome(file(graph))).toHaveProperty('message', expect.stringContaining('past the end'));
  const whole = [0x2a, 10, ...tensor, 3, 4, 0x52, 0x00];
  expect(outcome(file(whole))).toMatchObject({ initializerBytes: 4 });
});
