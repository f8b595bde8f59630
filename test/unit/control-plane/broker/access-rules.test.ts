import { describe, expect, test } from 'vitest';
import {
  mayPublish,
  maySubscribe,
  refuseConnect,
  type ConnectRequest,
} from '#control-plane/broker/access-rules.ts';

const device = {
  name: 'camera-1',
  kind: 'device',
  serialNumber: '1',
  keySha256: 'ab',
  expiresAtMs: 0,
} as const;
const service = {
  name: 'control-plane',
  kind: 'service',
  serialNumber: '2',
  keySha256: 'ab',
  expiresAtMs: 0,
} as const;

function request(change: Partial<ConnectRequest> = {}): ConnectRequest {
  return { peer: device, clientId: 'camera-1', protocolVersion: 4, will: undefined, ...change };
}

describe('who may connect', () => {
  test('a device under its own id, and the control plane under its', () => {
    expect(refuseConnect('lab', request())).toBeNull();
    expect(refuseConnect('lab', request({ peer: service, clientId: 'control-plane' }))).toBeNull();
  });

  test('a name counts only with its kind', () => {
    const impostor = request({ peer: { ...service, kind: 'device' }, clientId: 'control-plane' });
    expect(refuseConnect('lab', impostor)).toMatchObject({ returnCode: 5 });
    const other = request({ peer: { ...service, name: 'gateway' }, clientId: 'gateway' });
    expect(refuseConnect('lab', other)).toMatchObject({ returnCode: 5 });
  });

  test.each([
    [{ clientId: 'camera-2' }, 2],
    [{ clientId: '' }, 2],
    [{ protocolVersion: 3 }, 5],
    [{ protocolVersion: 5 }, 5],
    [{ will: { topic: 'holdfast/v1/lab/camera-2/presence', retain: true } }, 5],
    [{ will: { topic: 'holdfast/v1/lab/camera-1/command' } }, 5],
    [{ will: { topic: 'holdfast/v1/lab/camera-1/telemetry', retain: true } }, 5],
  ])('%j is refused with %i', (change, returnCode) => {
    expect(refuseConnect('lab', request(change))).toMatchObject({ returnCode });
  });

  test('a will on its own presence is fine', () => {
    const will = { topic: 'holdfast/v1/lab/camera-1/presence', retain: true };
    expect(refuseConnect('lab', request({ will }))).toBeNull();
  });
});

describe('what is allowed', () => {
  test('the control plane does everything but pose as the broker', () => {
    expect(mayPublish('lab', 'control-plane', 'holdfast/v1/lab/camera-1/desired', true)).toBe(true);
    expect(mayPublish('lab', 'control-plane', '$SYS/x', false)).toBe(false);
    expect(maySubscribe('lab', 'control-plane', 'holdfast/v1/lab/+/events')).toBe(true);
  });

  test('a device leaves nothing behind on the broker but its state', () => {
    const topic = (leaf: string) => `holdfast/v1/lab/camera-1/${leaf}`;
    expect(mayPublish('lab', 'camera-1', topic('reported'), true)).toBe(true);
    expect(mayPublish('lab', 'camera-1', topic('events'), false)).toBe(true);
    expect(mayPublish('lab', 'camera-1', topic('events'), true)).toBe(false);
    expect(mayPublish('lab', 'camera-1', topic('desired'), false)).toBe(false);
  });
});
