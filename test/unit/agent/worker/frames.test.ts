import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '#agent/ports/runtime.ts';
import { encodeFrame, FrameReader, type Frame } from '#agent/worker/frames.ts';

function read(chunks: readonly Buffer[], maxBytes?: number): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((frame) => frames.push(frame), maxBytes);
  for (const chunk of chunks) reader.push(chunk);
  return frames;
}

const tensor = fc
  .uint8Array({ maxLength: 40 })
  .map((data): Tensor => ({ dtype: 'UINT8', shape: [data.length], data: Buffer.from(data) }));
const frame = fc.record({
  message: fc.record({ id: fc.nat(), text: fc.string({ unit: 'binary' }) }),
  tensors: fc.dictionary(fc.stringMatching(/^[a-zA-Zé.:]{1,12}$/), tensor, {
    maxKeys: 4,
    noNullPrototype: true,
  }),
});

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(
            frames.flatMap(({ message, tensors }) => encodeFrame(message, tensors)),
          );
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = cuts[i % cuts.length] ?? 1;
            chunks.push(bytes.subarray(at, at + size));
            at += size;
          }
          const seen = read(chunks);
          expect(seen.map(({ message }) => message)).toEqual(frames.map(({ message }) => message));
          expect(seen.map(({ tensors }) => tensors)).toEqual(frames.map(({ tensors }) => tensors));
        },
      ),
    );
  });

  it('place every tensor at a multiple of 8 bytes, so that it can be viewed in place', () => {
    const odd = { dtype: 'UINT8', shape: [3], data: new Uint8Array([1, 2, 3]) } as const;
    const parts = encodeFrame({ note: 'é' }, { odd, next: odd, last: odd });
    const [seen] = read([Buffer.concat(parts)]);
    for (const { data } of Object.values(seen?.tensors ?? {})) expect(data.byteOffset % 8).toBe(0);
  });

  it('do not copy tensor data when written', () => {
    const data = new Uint8Array(1_000);
    expect(encodeFrame({}, { x: { dtype: 'UINT8', shape: [1_000], data } })).toContain(data);
  });

  it('are refused by their declared length, before anything is allocated', () => {
    const huge = Buffer.alloc(8);
    huge.writeUInt32LE(0xffffffff, 0);
    expect(() => read([huge])).toThrow(expect.objectContaining({ code: 'body-too-large' }));
    expect(() => read([Buffer.concat(encodeFrame({ long: 'x'.repeat(200) }))], 100)).toThrow(
      expect.objectContaining({ code: 'body-too-large' }),
    );
  });

  it.each([
    ['a header longer than the frame', (b: Buffer) => b.writeUInt32LE(10_000, 4)],
    ['a header that is not JSON', (b: Buffer) => b.write('!', 8)],
    ['a tensor longer than the frame', (b: Buffer) => b.write('99', b.lastIndexOf('16]'))],
    ['a tensor shorter than the frame', (b: Buffer) => b.write('8 ', b.lastIndexOf('16]'))],
    ['no room for a header', (b: Buffer) => b.writeUInt32LE(1, 0)],
  ])('are refused with %s', (_what, damage) => {
    const bytes = Buffer.concat(
      encodeFrame({}, { x: { dtype: 'UINT8', shape: [16], data: new Uint8Array(16) } }),
    );
    damage(bytes);
    expect(() => read([bytes])).toThrow(expect.objectContaining({ code: 'bad-request' }));
  });
});
