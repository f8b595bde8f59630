import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDirectorCustom, encodeDirectorCustom } from '#protocol/director-custom.ts';
import { profileSchema } from '#protocol/profile.ts';
import { DEFAULT_DEPLOYMENT_POLICY, deploymentPolicySchema, releaseTargetPath } from '#protocol/release.ts';

describe('an order in Director metadata', () => {
  const custom = fc.record({
    deviceId: fc.constant('camera-1'),
    rolloutId: fc.string({ minLength: 1, maxLength: 64 }),
    seq: fc.nat(),
    profile: fc.constant('x86-cpu'),
    releaseCounter: fc.nat(),
    policy: fc.record({
      mode: fc.constantFrom('shadow' as const, 'direct' as const),
      minPairs: fc.integer({ min: 1, max: 1_000_000 }),
      shadowDeadlineMs: fc.integer({ min: 1_000, max: 86_400_000 }),
      probationMs: fc.nat(86_400_000),
      latencyMargin: fc.double({ min: 0, max: 10, noNaN: true }).map((margin) => margin + 0),
      alpha: fc.double({ min: 0.0001, max: 0.5, noNaN: true }),
    }),
  });

  test('comes out as it went in, and travels without fractions, which OLPC canonical JSON has not', () => {
    fc.assert(
      fc.property(custom, (order) => {
        const wire = encodeDirectorCustom(order);
        for (const value of Object.values(wire)) {
          if (typeof value === 'number') expect(Number.isInteger(value)).toBe(true);
        }
        expect(decodeDirectorCustom(JSON.parse(JSON.stringify(wire)))).toEqual(order);
      }),
    );
  });
});

describe('releases', () => {
  test('the default policy is a valid one', () => {
    expect(deploymentPolicySchema.parse(DEFAULT_DEPLOYMENT_POLICY)).toEqual(DEFAULT_DEPLOYMENT_POLICY);
  });

  test('a target is named by model, version and profile', () => {
    expect(releaseTargetPath('digits', 3, 'x86-cpu')).toBe('digits/3/x86-cpu.json');
  });
});

describe('the profiles that are shipped', () => {
  const folder = new URL('../../../firmware-profiles/', import.meta.url);
  test.each(readdirSync(folder))('%s fits the schema and is named as its file', (file) => {
    const profile = profileSchema.parse(JSON.parse(readFileSync(new URL(file, folder), 'utf8')));
    expect(`${profile.name}.json`).toBe(file);
  });
});
