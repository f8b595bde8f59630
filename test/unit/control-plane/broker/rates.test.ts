import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OutgoingBound } from '#control-plane/broker/outgoing-bound.ts';
import { TokenBucket } from '#control-plane/broker/token-bucket.ts';
import { topicMatches } from '#control-plane/broker/topic-filter.ts';

describe('a token bucket', () => {
  test('lets a burst through, then says how long the debt takes', () => {
    let nowMs = 0;
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, () => nowMs);
    expect(bucket.take(5)).toBe(0);
    expect(bucket.take(1)).toBe(100);
    expect(bucket.take(2)).toBe(300);
    nowMs += 300;
    expect(bucket.take(0)).toBe(0);
    nowMs += 60_000;
    expect(bucket.take(6)).toBe(100);
  });

  test('whoever waits as told sends no more than the burst and the rate, whatever it sends', () => {
    const takes = fc.array(fc.tuple(fc.nat(50), fc.nat(2_000)), { maxLength: 50 });
    fc.assert(
      fc.property(takes, (requests) => {
        let nowMs = 0;
        const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, () => nowMs);
        let sent = 0;
        for (const [count, pauseMs] of requests) {
          sent += count;
          nowMs += bucket.take(count) + pauseMs;
          expect(sent).toBeLessThanOrEqual(5 + (nowMs * 10) / 1_000 + 1e-6);
        }
      }),
    );
  });
});

describe('what waits for a reader', () => {
  test('is bounded by bytes, and by entries however small', () => {
    const bound = new OutgoingBound(10_000);
    expect(bound.add(9_000)).toBe(true);
    expect(bound.add(1_000)).toBe(false);
    const small = new OutgoingBound(10_000);
    let entries = 0;
    while (small.add(2)) entries++;
    expect(entries).toBeLessThan(100);
  });

  test('has room again for what was read', () => {
    const bound = new OutgoingBound(10_000);
    for (let i = 0; i < 1_000; i++) {
      expect(bound.add(2_000)).toBe(true);
      expect(bound.add(3_000)).toBe(true);
      bound.remove(2, 5_000);
    }
  });
});

describe('a topic filter', () => {
  test.each([
    ['holdfast/v1/lab/+/events', 'holdfast/v1/lab/camera-1/events', true],
    ['holdfast/v1/lab/+/events', 'holdfast/v1/lab/camera-1/telemetry', false],
    ['holdfast/v1/lab/+/events', 'holdfast/v1/lab/events', false],
    ['holdfast/v1/lab/+/events', 'holdfast/v1/lab/a/b/events', false],
    ['a/b', 'a/b', true],
    ['a/b', 'a/b/c', false],
  ])('%s and %s: %s', (filter, topic, expected) => {
    expect(topicMatches(filter, topic)).toBe(expected);
  });
});
