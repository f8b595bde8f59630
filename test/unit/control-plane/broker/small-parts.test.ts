import { describe, expect, test } from 'vitest';
import { AddressQuota } from '#control-plane/broker/address-quota.ts';
import { topicMatches } from '#control-plane/broker/topic-filter.ts';

describe('connections of an address', () => {
  test('are bounded by how many live, each address for itself', () => {
    const quota = new AddressQuota(2);
    expect([quota.take('a'), quota.take('a'), quota.take('a')]).toEqual([true, true, false]);
    expect(quota.take('b')).toBe(true);
    quota.release('a');
    expect([quota.take('a'), quota.take('a')]).toEqual([true, false]);
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
