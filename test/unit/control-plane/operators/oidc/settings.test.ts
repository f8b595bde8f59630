import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfig } from '#control-plane/config.ts';
import { safeReturnPath } from '#control-plane/operators/oidc/logins.ts';
import { currentGrantsOf, readOidcSettings } from '#control-plane/operators/oidc/settings.ts';

const RULES = { rules: [{ email: 'Ada@Fleet.example', grants: [{ role: 'viewer' }] }] };
const ISSUER = 'https://id.example';
let folder: string;
let env: Record<string, string>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-oidc-'));
  await writeFile(join(folder, 'grants.json'), JSON.stringify(RULES));
  await writeFile(join(folder, 'secret'), 'sesame\n');
  env = {
    HOLDFAST_OIDC_ISSUER: ISSUER,
    HOLDFAST_OIDC_CLIENT_ID: 'holdfast',
    HOLDFAST_OIDC_CLIENT_SECRET_FILE: join(folder, 'secret'),
    HOLDFAST_OIDC_GRANTS_FILE: join(folder, 'grants.json'),
  };
});
afterEach(() => rm(folder, { recursive: true }));

const read = (change: Record<string, string> = {}) =>
  readOidcSettings(readConfig([], { ...env, ...change }, '1.0.0'));

describe('the settings of the OpenID provider', () => {
  it('are read once, with what is not set at its usual value', async () => {
    expect(await read()).toMatchObject({
      clientId: 'holdfast', clientSecret: 'sesame', scopes: 'openid email', groupsClaim: 'groups',
      rules: { rules: [{ email: 'ada@fleet.example' }] },
    }); // prettier-ignore
    expect(await read({ HOLDFAST_OIDC_CLIENT_SECRET_FILE: '' })).toMatchObject({ clientSecret: null });
    expect(await readOidcSettings(readConfig([], {}, '1.0.0'))).toBeNull();
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['an issuer without encryption', { HOLDFAST_OIDC_ISSUER: 'http://id.example' }, /not encrypted/],
    ['no client', { HOLDFAST_OIDC_CLIENT_ID: '' }, /not HOLDFAST_OIDC_CLIENT_ID/],
    ['no grants', { HOLDFAST_OIDC_GRANTS_FILE: '' }, /not HOLDFAST_OIDC_GRANTS_FILE/],
    [
      'grants that are not there',
      { HOLDFAST_OIDC_GRANTS_FILE: '/none/such' },
      /GRANTS_FILE names .*cannot be read/,
    ],
    ['a secret that is not there', { HOLDFAST_OIDC_CLIENT_SECRET_FILE: '/none/such' }, /SECRET_FILE names/],
  ])('are refused with %s', async (_what, change, message) => {
    const refused = await read(change).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'bad-config', message: expect.stringMatching(message) as string });
  });

  it.each([
    ['{', /does not say who may what/],
    ['{"rules":[]}', /rules/],
    ['{"rules":[{"group":"a","grants":[{"role":"god"}]}]}', /grants\[0\]\.role|Invalid/],
    ['{"rules":[{"everybody":true,"grants":[{"role":"viewer"}]}]}', /Invalid|Unrecognized/],
  ])('are refused with the rules %s', async (text, message) => {
    await writeFile(join(folder, 'grants.json'), text);
    await expect(read()).rejects.toMatchObject({
      code: 'bad-config',
      message: expect.stringMatching(message) as string,
    });
  });

  it('refuse scopes without openid, before anything starts', () => {
    expect(() => readConfig([], { HOLDFAST_OIDC_SCOPES: 'email' }, '1.0.0')).toThrow(/openid/);
  });

  it('allow http for a provider on this machine', async () => {
    expect((await read({ HOLDFAST_OIDC_ISSUER: 'http://localhost:3000' }))?.issuer.port).toBe('3000');
  });
});

describe('somebody who signed in', () => {
  const ada = { subject: '1', email: 'ada@fleet.example', groups: [] };

  it('has the grants of the rules of now, with the issuer of now', async () => {
    const settings = await read();
    if (settings === null) throw new Error('not set');
    expect(currentGrantsOf(settings, { ...ada, issuer: `${ISSUER}/` })).toEqual([{ role: 'viewer' }]);
    expect(currentGrantsOf(settings, { ...ada, issuer: 'https://other.example' })).toEqual([]);
  });
});

describe('proxies that are trusted', () => {
  const trusted = (text: string) =>
    readConfig([], { HOLDFAST_TRUSTED_PROXIES: text }, '1.0.0').trustedProxies;

  it('are addresses and networks', () => {
    expect(trusted('10.0.0.0/8, ::1,loopback')).toEqual(['10.0.0.0/8', '::1', 'loopback']);
    expect(trusted('')).toEqual([]);
  });

  it.each(['*', 'true', '10.0.0.0/33', 'proxy.example', '1.2.3'])('are not %s', (text) => {
    expect(() => trusted(text)).toThrow(/trustedProxies/);
  });
});

describe('the page to go on to', () => {
  it.each([
    ['/rollouts/ro-1?wave=2', '/rollouts/ro-1?wave=2'],
    ['/a/../b', '/b'],
    [undefined, '/'],
    ['', '/'],
    ['rollouts', '/'],
    ['//evil.example', '/'],
    ['/\\evil.example', '/'],
    ['/.//evil.example', '/'],
    ['https://evil.example', '/'],
    ['/\nx', '/'],
  ])('of %j is %s', (asked, path) => {
    expect(safeReturnPath(asked)).toBe(path);
  });
});
