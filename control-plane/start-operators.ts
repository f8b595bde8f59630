// Operators: their tokens, their sessions, and the OpenID provider at which they sign in.

import { labelsOfDevice } from './fleet/devices.ts';
import { createFailureLimit, type AuthenticateDeps } from './http/authenticate.ts';
import type { ApiRouter } from './http/route.ts';
import { ensureAdminToken } from './operators/admin-token.ts';
import { Logins } from './operators/oidc/logins.ts';
import { OidcProvider } from './operators/oidc/provider.ts';
import { oidcRoutes } from './operators/oidc/routes.ts';
import { currentGrantsOf, readOidcSettings } from './operators/oidc/settings.ts';
import { sessionRoutes } from './operators/session-routes.ts';
import { Sessions } from './operators/sessions.ts';
import { tokenRoutes } from './operators/token-routes.ts';
import { ApiTokens } from './operators/tokens.ts';
import type { Core } from './open-core.ts';

export interface Operators {
  readonly access: AuthenticateDeps;
  readonly routers: readonly ApiRouter[];
  readonly adminToken: { readonly path: string; readonly made: boolean };
}

/** Errors: `bad-config` for what is set about the provider, which itself may be away. */
export async function openOperators(core: Core): Promise<Operators> {
  const { config, store, audit, log, nowMs, dataDir, trust } = core;
  const oidc = await readOidcSettings(config);
  const adminToken = await ensureAdminToken(store, dataDir.path, nowMs);
  const tokens = new ApiTokens({ store, audit, nowMs });
  const sessions = new Sessions({
    store,
    nowMs,
    grantsOf: (identity) => (oidc === null ? [] : currentGrantsOf(oidc, identity)),
  });
  const failureLimit = createFailureLimit();
  const provider = oidc === null ? null : new OidcProvider(oidc, nowMs);
  const login =
    oidc === null || provider === null
      ? null
      : { provider, logins: new Logins(store, nowMs), sessions, rules: oidc.rules, audit, log };
  const routers = [
    sessionRoutes({ tokens, sessions, failureLimit, providerName: provider?.name ?? null }),
    tokenRoutes(tokens),
    oidcRoutes(login),
  ];
  const scopes = {
    teamOf: (model: string) => trust.image.teamOf(model),
    labelsOf: (deviceId: string) => labelsOfDevice(store.db, deviceId),
  };
  return { access: { tokens, sessions, failureLimit, scopes }, routers, adminToken };
}
