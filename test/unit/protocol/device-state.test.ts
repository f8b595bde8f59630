import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  actionsOn,
  DEVICE_ACTIONS,
  DEVICE_STATES,
  mayConnect,
  stepDevice,
  type DeviceState,
} from '#protocol/device-state.ts';

const actions = fc.array(fc.constantFrom(...DEVICE_ACTIONS), { maxLength: 30 });
const walk = (from: DeviceState, taken: readonly (typeof DEVICE_ACTIONS)[number][]) =>
  taken.reduce<DeviceState>((state, action) => stepDevice(state, action) ?? state, from);

test('whatever is decided, a device that is out never comes in again', () => {
  fc.assert(
    fc.property(fc.constantFrom('revoked' as const, 'decommissioned' as const), actions, (from, taken) => {
      expect(mayConnect(walk(from, taken))).toBe(false);
    }),
  );
});

test('nothing but approval lets a pending device in', () => {
  fc.assert(
    fc.property(actions, (taken) => {
      const without = taken.filter((action) => action !== 'approve');
      const state = walk('pending', without);
      // `release` names the same state, and means nothing here.
      expect(mayConnect(state)).toBe(false);
    }),
  );
});

test('a decision taken twice is the decision taken once', () => {
  for (const state of DEVICE_STATES) {
    for (const action of DEVICE_ACTIONS) {
      const next = stepDevice(state, action);
      if (next !== null) expect(stepDevice(next, action)).toBe(next);
    }
  }
});

test('what people are offered does something', () => {
  for (const state of DEVICE_STATES) {
    for (const action of actionsOn(state)) expect(stepDevice(state, action)).not.toBe(state);
  }
});
