import { expect, it } from 'vitest';
import { trustView } from '#control-plane/view/trust-view.ts';
import type { TrustRole, TrustStatus } from '#protocol/trust.ts';

const NOW_MS = 1_000_000;
const DAY_MS = 86_400_000;
const key = (isHeld: boolean, owner = '') => ({
  keyId: 'a'.repeat(64), scheme: 'ed25519' as const, public: '00', owner, isHeld,
}); // prettier-ignore

const role = (change: Partial<TrustRole>): TrustRole => ({
  role: 'targets', version: 3, expiresAtMs: NOW_MS + 365 * DAY_MS, threshold: 1, keys: [key(true)],
  models: null, authorSignature: null, targets: 0, staged: null, ...change,
}); // prettier-ignore

const rowOf = (change: Partial<TrustRole>, repository: 'image' | 'director' = 'image') => {
  const status: TrustStatus = {
    repositories: [{ repository, roles: [role(change)] }], keysAreEncrypted: false, advice: [],
  }; // prettier-ignore
  return trustView(status, NOW_MS).repositories[0]?.rows[0];
};

it('says who has the keys', () => {
  expect(rowOf({})?.holder).toBe('control plane');
  expect(rowOf({ keys: [key(false, 'ada')] })).toMatchObject({ holder: 'people', keys: [{ whose: 'ada' }] });
  expect(rowOf({ keys: [key(false), key(true)] })?.holder).toBe('both');
});

it.each<[string, Partial<TrustRole>, string]>([
  ['expired metadata', { expiresAtMs: NOW_MS }, 'bad'],
  [
    'a month that people have left to sign',
    { expiresAtMs: NOW_MS + 29 * DAY_MS, keys: [key(false)] },
    'attention',
  ],
  ['a day that the control plane has left', { expiresAtMs: NOW_MS + DAY_MS }, 'good'],
])('tells %s by its tone', (_what, change, tone) => expect(rowOf(change)?.tone).toBe(tone));

it('gives long lives in years', () => {
  expect(rowOf({ expiresAtMs: NOW_MS + 3_652 * DAY_MS })?.expires).toBe('in 10 years');
  expect(rowOf({})?.expires).toBe('in 365 d');
});

it('says what a role is for', () => {
  expect(rowOf({})?.what).toBe('what may be installed, and teams');
  expect(rowOf({}, 'director')?.what).toBe('what each device should run');
  expect(rowOf({ role: 'team-a', models: ['a-*'], authorSignature: 'device' })?.what).toBe(
    'models a-*, author signature asked for at device',
  );
  expect(rowOf({ staged: { version: 4, missing: 1 } })?.waits).toBe('version 4: 1 more to sign');
});
