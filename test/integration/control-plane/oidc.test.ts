// Signing in at a real OpenID provider, through all redirects, and what attackers try on that way.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { grantsOf, identityRulesSchema, type Identity } from '#control-plane/operators/oidc/identity.ts';
import { Logins } from '#control-plane/operators/oidc/logins.ts';
import { OidcProvider } from '#control-plane/operators/oidc/provider.ts';
import { oidcRoutes } from '#control-plane/operators/oidc/routes.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import {
  Browser,
  CLIENT_ID,
  CLIENT_SECRET,
  locationOf,
  OTHER_CLIENT_ID,
  startOpenIdProvider,
  type OpenIdProvider,
} from '#test/fakes/openid-provider.ts';
import { apiWorld, type ApiWorld } from '#test/unit/control-plane/http/api-world.ts'; // prettier-ignore

const PEOPLE = {
  ada: { email: 'Ada@Fleet.example', email_verified: true, groups: ['fleet-ops', 'staff'] },
  bob: { email: 'bob@fleet.example', email_verified: true, groups: ['staff'] },
  eve: { email: 'boss@fleet.example', email_verified: false, groups: [] },
};
const RULES = identityRulesSchema.parse({
  rules: [
    { group: 'fleet-ops', grants: [{ role: 'operator', group: { site: 'berlin' } }] },
    { email: 'ADA@fleet.example', grants: [{ role: 'viewer' }] },
    { email: 'boss@fleet.example', grants: [{ role: 'admin' }] },
  ],
});

let provider: OpenIdProvider;
let world: ApiWorld;
let browser: Browser;
let knows: (identity: Identity) => boolean;
let nowMs: number;

// The provider warns that it is one for development only.
beforeAll(() => void vi.spyOn(console, 'warn').mockReturnValue());
afterAll(() => void vi.restoreAllMocks());

beforeEach(async () => {
  provider = await startOpenIdProvider();
  browser = new Browser();
  knows = () => true;
  nowMs = Date.now();
  const settings = {
    issuer: new URL(provider.issuer), clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, scopes: 'openid email groups',
    groupsClaim: 'groups', rules: RULES,
  }; // prettier-ignore
  world = await apiWorld({
    nowMs: () => nowMs,
    trustedProxies: ['loopback'],
    grantsOf: (identity) => (knows(identity) ? grantsOf(RULES, identity) : []),
    routers: (store, { sessions, log }) => [
      oidcRoutes({
        provider: new OidcProvider(settings, () => nowMs),
        logins: new Logins(store, () => nowMs),
        sessions, rules: RULES, log, audit: createAudit(store),
      }),
    ],
  }); // prettier-ignore
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

const openProvider = () => provider.open(`${world.url}/api/v1/oidc/callback`, PEOPLE);
const api = (path: string) => `${world.url}/api/v1${path}`;

/** Begins at the control plane; answers where the provider is. */
async function begin(returnTo = '/', by = browser): Promise<string> {
  const answer = await by.visit(api(`/oidc/login?returnTo=${encodeURIComponent(returnTo)}`));
  expect(answer.status).toBe(303);
  return locationOf(answer);
}

/** The whole dance up to the address that the provider sends the browser back to. */
async function callbackOf(login: string, by = browser): Promise<string> {
  return await by.signIn(await begin('/', by), login);
}

/** Where the control plane sends the browser in the end, and whether it has a session then. */
async function finish(callback: string, by = browser) {
  const answer = await by.visit(callback);
  expect(answer.status).toBe(303);
  return { to: locationOf(answer), cookie: by.cookie('holdfast-session') ?? null };
}

const whoAmI = async (by = browser) => {
  const answer = await by.visit(api('/session'), { headers: { 'sec-fetch-site': 'same-origin' } });
  return { status: answer.status, body: (await answer.json()) as object };
};

describe('signing in at the provider', () => {
  beforeEach(openProvider);

  it('opens a session with the grants of the groups and the verified email, and goes on to where one was', async () => {
    const authorization = await begin('/rollouts/ro-1?wave=2');
    const asked = new URL(authorization).searchParams;
    expect(asked.get('code_challenge_method')).toBe('S256');
    expect(asked.get('redirect_uri')).toBe(api('/oidc/callback'));
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(asked.get(name)?.length).toBeGreaterThan(20);
    expect((await finish(await browser.signIn(authorization, 'ada'))).to).toBe('/rollouts/ro-1?wave=2');
    expect(await whoAmI()).toEqual({
      status: 200,
      body: {
        actor: 'oidc:ada@fleet.example',
        via: 'session',
        grants: [{ role: 'operator', group: { site: 'berlin' } }, { role: 'viewer' }],
      },
    });
    const [entry] = await world.store.db.selectFrom('audit').select(['actor', 'action']).execute();
    expect(entry).toEqual({ actor: 'oidc:ada@fleet.example', action: 'session.begin' });
    expect(browser.cookie('holdfast-login')).toBeUndefined();
  });

  it('keeps the cookie of the session from scripts and other sites', async () => {
    const answer = await browser.visit(await callbackOf('ada'));
    const cookies = answer.headers.getSetCookie().filter((line) => line.startsWith('holdfast-session='));
    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatch(/HttpOnly/);
    expect(cookies[0]).toMatch(/SameSite=Strict/);
  });

  it.each([
    ['in no group that has a role', 'bob'],
    ['whose email the provider has not verified', 'eve'],
  ])('lets nobody in %s', async (_what, login) => {
    expect(await finish(await callbackOf(login))).toEqual({ to: '/#login=no-access', cookie: null });
  });

  it('is over for whom the rules do not know any more, at the next request', async () => {
    await finish(await callbackOf('ada'));
    expect((await whoAmI()).status).toBe(200);
    knows = () => false;
    expect((await whoAmI()).status).toBe(401);
  });

  it('says so when somebody turns back at the provider', async () => {
    const state = new URL(await begin()).searchParams.get('state') ?? '';
    const callback = api(`/oidc/callback?error=access_denied&state=${state}&iss=${provider.issuer}`);
    expect(await finish(callback)).toEqual({ to: '/#login=refused', cookie: null });
  });

  it('comes back too late after ten minutes', async () => {
    const callback = await callbackOf('ada');
    nowMs += 600_000;
    expect(await finish(callback)).toEqual({ to: '/#login=expired', cookie: null });
  });

  it('uses https and cookies that only https may set behind a proxy that is trusted', async () => {
    const answer = await browser.visit(api('/oidc/login'), {
      headers: { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'fleet.example' },
    });
    expect(new URL(locationOf(answer)).searchParams.get('redirect_uri')).toBe(
      'https://fleet.example/api/v1/oidc/callback',
    );
    expect(answer.headers.getSetCookie()[0]).toMatch(/^__Host-holdfast-login=.*Secure.*SameSite=Lax/);
  });
});

describe('a provider that is away', () => {
  it('is said on the login page, and looked for again at the next try', async () => {
    const answer = await browser.visit(api('/oidc/login'));
    expect(locationOf(answer)).toBe('/#login=unavailable');
    openProvider();
    expect((await finish(await callbackOf('ada'))).to).toBe('/');
  });
});

describe('an attacker gets no session', () => {
  beforeEach(openProvider);
  const NOTHING = (code: string) => ({ to: `/#login=${code}`, cookie: null });
  const logged = () => world.logged.join('');

  it('by coming back a second time with the same answer', async () => {
    const callback = await callbackOf('ada');
    const loginCookie = browser.cookie('holdfast-login') ?? '';
    expect((await finish(callback)).to).toBe('/');
    const thief = await fetch(callback, {
      redirect: 'manual',
      headers: { cookie: `holdfast-login=${loginCookie}` },
    });
    expect(locationOf(thief)).toBe('/#login=expired');
    expect(thief.headers.getSetCookie().join()).not.toContain('holdfast-session=');
  });

  it('by sending a victim to the end of a login that he began himself', async () => {
    const attacker = new Browser();
    const callback = await callbackOf('ada', attacker);
    expect(await finish(callback, browser)).toEqual(NOTHING('expired'));
    // Also not while the victim has begun a login of her own.
    await begin();
    expect(await finish(callback, browser)).toEqual(NOTHING('expired'));
  });

  it('with an ID token that was made for another login', async () => {
    const callback = await callbackOf('ada');
    await world.store.db
      .updateTable('logins')
      .set({ nonce: 'another' } as never)
      .execute();
    expect(await finish(callback)).toEqual(NOTHING('invalid'));
    expect(logged()).toMatch(/nonce/);
  });

  it('with a code that another client was given', async () => {
    const authorization = new URL(await begin());
    const own = authorization.searchParams.get('state') ?? '';
    authorization.searchParams.set('client_id', OTHER_CLIENT_ID);
    const callback = new URL(await browser.signIn(authorization.href, 'ada'));
    expect(callback.searchParams.get('state')).toBe(own);
    expect(await finish(callback.href)).toEqual(NOTHING('invalid'));
    expect(logged()).toMatch(/invalid_grant/);
  });

  it('with a code that belongs to another login of the same client', async () => {
    const stolen = new URL(await callbackOf('ada', new Browser())).searchParams.get('code') ?? '';
    const callback = new URL(await callbackOf('bob'));
    callback.searchParams.set('code', stolen);
    expect(await finish(callback.href)).toEqual(NOTHING('invalid'));
    expect(logged()).toMatch(/invalid_grant/);
  });

  it('with the answer of another issuer', async () => {
    const callback = new URL(await callbackOf('ada'));
    callback.searchParams.set('iss', 'http://evil.example');
    expect(await finish(callback.href)).toEqual(NOTHING('invalid'));
    expect(logged()).toMatch(/"iss"|issuer/);
  });

  it.each([
    ['https://evil.example/'], ['//evil.example'], ['/\\evil.example'], ['/\t/evil.example'], ['javascript:alert(1)'],
    ['/..//evil.example'], ['/%0d%0aset-cookie:x=1'],
  ])('nor the victim on another site, by returnTo %j', async (returnTo) => {
    const { to } = await finish(await browser.signIn(await begin(returnTo), 'ada'));
    expect(new URL(to, world.url).origin).toBe(world.url);
    expect(to.startsWith('//')).toBe(false);
  }); // prettier-ignore
});
