import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameMeter } from '#control-plane/broker/frame-meter.ts';

const LIMITS = { maxBytesBeforeConnack: 1_000, maxPublishBytes: 5_000, maxControlPacketBytes: 600 };

/** A packet with a fixed header of this type and a body of zeros. */
function packet(type: number, bodyBytes: number): number[] {
  const header = [type << 4];
  let rest = bodyBytes;
  do {
    header.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return [...header, ...Array<number>(bodyBytes).fill(0)];
}

/** Feeds the bytes in pieces of these sizes, the last size again and again; the first complaint, or null. */
function feed(meter: FrameMeter, bytes: readonly number[], sizes: readonly number[]): string | null {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)] ?? bytes.length;
    const wrong = meter.accept(Uint8Array.from(bytes.slice(at, at + size)));
    if (wrong !== null) return wrong;
    at += size;
  }
  return null;
}

const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 });

describe('the frame meter', () => {
  test('lets well-formed packets through, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000), { maxLength: 8 }), sizes, (bodies, cut) => {
        const meter = new FrameMeter(LIMITS);
        expect(feed(meter, packet(1, 100), cut)).toBeNull();
        meter.open();
        const bytes = bodies.flatMap((bodyBytes, i) =>
          packet(i % 2 === 0 ? 3 : 8, i % 2 === 0 ? bodyBytes : bodyBytes % 600),
        );
        expect(feed(meter, bytes, cut)).toBeNull();
      }),
    );
  });

  test('stops a packet over the limit at its header, wherever it comes and however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(300), { maxLength: 5 }),
        fc.integer({ min: 5_001, max: 2 ** 28 - 1 }),
        sizes,
        (before, length, cut) => {
          const meter = new FrameMeter(LIMITS);
          expect(feed(meter, packet(1, 10), cut)).toBeNull();
          meter.open();
          const header = [0x30];
          for (let rest = length; ; rest = Math.floor(rest / 128)) {
            header.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
            if (rest < 128) break;
          }
          const bytes = [...before.flatMap((bodyBytes) => packet(3, bodyBytes)), ...header];
          expect(feed(meter, bytes, cut)).toContain('longer than 5000 bytes');
        },
      ),
    );
  });

  test('bounds all bytes until the sender is let in', () => {
    const meter = new FrameMeter(LIMITS);
    expect(feed(meter, packet(1, 900), [64])).toBeNull();
    expect(feed(meter, packet(3, 200), [64])).toContain('more than 1000 bytes before');
    const open = new FrameMeter(LIMITS);
    expect(feed(open, packet(1, 900), [64])).toBeNull();
    open.open();
    expect(feed(open, packet(3, 200), [64])).toBeNull();
  });

  test('wants CONNECT first, and once', () => {
    for (let type = 0; type < 16; type++) {
      const wrong = feed(new FrameMeter(LIMITS), packet(type, 3), [1]);
      expect(wrong).toBe(type === 1 ? null : 'the first packet is not CONNECT');
    }
    const meter = new FrameMeter(LIMITS);
    expect(feed(meter, [...packet(1, 3), ...packet(12, 0)], [2])).toBeNull();
    expect(feed(meter, packet(1, 3), [1])).toBe('a second CONNECT');
  });

  test('stops what only brokers send, and a control packet that is as long as a message', () => {
    const after = (type: number, bodyBytes: number): string | null => {
      const meter = new FrameMeter(LIMITS);
      feed(meter, packet(1, 3), [5]);
      meter.open();
      return feed(meter, packet(type, bodyBytes), [64]);
    };
    for (const type of [0, 2, 9, 11, 13, 15])
      expect(after(type, 2)).toContain(`type ${type}, which no client`);
    for (const type of [4, 5, 6, 7, 8, 10, 12, 14]) {
      expect([type, after(type, 600), after(type, 601)]).toEqual([
        type,
        null,
        'a packet is longer than 600 bytes',
      ]);
    }
  });

  test('counts packets as they begin', () => {
    const meter = new FrameMeter(LIMITS);
    feed(meter, [...packet(1, 200), ...packet(12, 0), ...packet(12, 0), 0x30], [7]);
    expect(meter.packets).toBe(4);
  });

  test('refuses a length of five bytes', () => {
    const meter = new FrameMeter({ ...LIMITS, maxBytesBeforeConnack: 2 ** 28 });
    expect(feed(meter, [0x10, 0x80, 0x80, 0x80, 0x80, 0x01], [1])).toBe('a malformed remaining length');
  });
});
