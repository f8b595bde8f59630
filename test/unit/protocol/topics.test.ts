import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deviceMayPublish,
  deviceMaySubscribe,
  deviceTopic,
  fleetFilter,
  isRetained,
  parseDeviceTopic,
  TOPIC_LEAVES,
} from '#protocol/topics.ts';

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const leaf = fc.constantFrom(...TOPIC_LEAVES);
const READS = ['desired', 'command', 'blob/chunk'];

describe('topics of devices', () => {
  test('are read back as they were made', () => {
    fc.assert(
      fc.property(name, name, leaf, (fleet, deviceId, one) => {
        expect(parseDeviceTopic(deviceTopic(fleet, deviceId, one))).toEqual({ fleet, deviceId, leaf: one });
      }),
    );
  });

  test('anything that parses is written exactly so: there is no second way to name a topic', () => {
    const segment = fc.oneof(
      name,
      fc.constantFrom('', '+', '#', '..', 'holdfast', 'v1', 'blob', 'desired', '$share'),
    );
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
        const topic = segments.join('/');
        const parsed = parseDeviceTopic(topic);
        if (parsed !== null) expect(deviceTopic(parsed.fleet, parsed.deviceId, parsed.leaf)).toBe(topic);
      }),
    );
  });

  test.each([
    '',
    'holdfast/v1/lab/camera-1',
    'holdfast/v1/lab/camera-1/',
    'holdfast/v1/lab/camera-1/desired/',
    '/holdfast/v1/lab/camera-1/desired',
    'holdfast/v2/lab/camera-1/desired',
    'holdfast/v1/lab/Camera-1/desired',
    'holdfast/v1/lab/camera-1/desired\u0000',
    'holdfast/v1/lab/+/desired',
    'holdfast/v1/lab/camera-1/#',
    'holdfast/v1/lab/camera-1/blob',
    'holdfast/v1/lab/camera-1/blob/+',
    '$share/g/holdfast/v1/lab/camera-1/desired',
  ])('%j is none', (topic) => {
    expect(parseDeviceTopic(topic)).toBeNull();
  });
});

describe('what a device may do', () => {
  test('each leaf of its own branch is either read or written, never both', () => {
    for (const one of TOPIC_LEAVES) {
      const topic = deviceTopic('lab', 'camera-1', one);
      expect(deviceMaySubscribe('lab', 'camera-1', topic)).toBe(READS.includes(one));
      expect(deviceMayPublish('lab', 'camera-1', topic)).toBe(!READS.includes(one));
    }
  });

  test('nothing at all on the branch of another device or fleet', () => {
    fc.assert(
      fc.property(name, name, name, name, leaf, (fleet, deviceId, otherFleet, otherDevice, one) => {
        fc.pre(fleet !== otherFleet || deviceId !== otherDevice);
        const topic = deviceTopic(otherFleet, otherDevice, one);
        expect(deviceMayPublish(fleet, deviceId, topic)).toBe(false);
        expect(deviceMaySubscribe(fleet, deviceId, topic)).toBe(false);
      }),
    );
  });

  test('no filter with a wildcard or a share', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60 }),
        fc.constantFrom('#', '+', '$share/'),
        fc.nat(60),
        (text, mark, at) => {
          const filter = text.slice(0, at) + mark + text.slice(at);
          expect(deviceMaySubscribe('lab', 'camera-1', filter)).toBe(false);
        },
      ),
    );
    expect(deviceMaySubscribe('lab', 'camera-1', fleetFilter('lab', 'desired'))).toBe(false);
  });

  test('only state is kept by the broker: what happened, and commands, are not', () => {
    expect(TOPIC_LEAVES.filter(isRetained)).toEqual(['desired', 'reported', 'presence']);
  });
});
