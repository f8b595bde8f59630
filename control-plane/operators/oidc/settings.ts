// What is set about the OpenID provider, read and checked once at start.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import type { Grant } from '#protocol/access.ts';
import { grantsOf, identityRulesSchema, type Identity, type IdentityRules } from './identity.ts';

/** As in the configuration; the issuer being set is what turns logins on. */
export interface OidcConfig {
  readonly oidcIssuer?: string | undefined;
  readonly oidcClientId?: string | undefined;
  readonly oidcClientSecretFile?: string | undefined;
  readonly oidcScopes: string;
  readonly oidcGroupsClaim: string;
  readonly oidcGrantsFile?: string | undefined;
}

export interface OidcSettings {
  readonly issuer: URL;
  readonly clientId: string;
  /** Null for a public client, which PKCE alone protects. */
  readonly clientSecret: string | null;
  readonly scopes: string;
  readonly groupsClaim: string;
  readonly rules: IdentityRules;
}

/** Null without an issuer. Errors: `bad-config`, naming the setting or the place in the file. */
export async function readOidcSettings(config: OidcConfig): Promise<OidcSettings | null> {
  const { oidcIssuer, oidcClientId, oidcClientSecretFile, oidcGrantsFile } = config;
  if (oidcIssuer === undefined) return null;
  const missing = [
    ...(oidcClientId === undefined ? ['HOLDFAST_OIDC_CLIENT_ID'] : []),
    ...(oidcGrantsFile === undefined ? ['HOLDFAST_OIDC_GRANTS_FILE'] : []),
  ];
  if (oidcClientId === undefined || oidcGrantsFile === undefined) {
    throw new HoldfastError('bad-config', `HOLDFAST_OIDC_ISSUER is set, but not ${missing.join(' and ')}`, {
      hint: 'set them too, or none of them',
    });
  }
  const secret = oidcClientSecretFile === undefined ? null : (await readText('HOLDFAST_OIDC_CLIENT_SECRET_FILE', oidcClientSecretFile)).trim(); // prettier-ignore
  if (secret === '') {
    throw new HoldfastError('bad-config', `${oidcClientSecretFile} holds no client secret`, {
      hint: 'write the secret that the provider gave for this client into it',
    });
  }
  return {
    issuer: issuerOf(oidcIssuer),
    clientId: oidcClientId,
    clientSecret: secret,
    scopes: config.oidcScopes,
    groupsClaim: config.oidcGroupsClaim,
    rules: rulesOf(oidcGrantsFile, await readText('HOLDFAST_OIDC_GRANTS_FILE', oidcGrantsFile)),
  };
}

/** What somebody may who once signed in: nothing, when that was at another provider than the one of now. */
export function currentGrantsOf({ issuer, rules }: OidcSettings, identity: Identity): Grant[] {
  return withoutSlash(identity.issuer) === withoutSlash(issuer.href) ? grantsOf(rules, identity) : [];
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}

function issuerOf(text: string): URL {
  const issuer = new URL(text);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(issuer.hostname);
  if (issuer.protocol === 'https:' || (issuer.protocol === 'http:' && isLocal)) return issuer;
  throw new HoldfastError('bad-config', `HOLDFAST_OIDC_ISSUER is ${text}, which is not encrypted`, {
    hint: 'give an address that begins with https://; http:// is for a provider on this machine only',
  });
}

function rulesOf(path: string, text: string): IdentityRules {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw badRules(path, (cause as Error).message, cause);
  }
  const parsed = identityRulesSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw badRules(path, z.prettifyError(parsed.error).replaceAll('\n', ' '), parsed.error);
}

function badRules(path: string, why: string, cause: unknown): HoldfastError {
  return new HoldfastError('bad-config', `${path} does not say who may what: ${why}`, {
    hint: 'write {"rules": [{"group": "fleet-ops", "grants": [{"role": "operator"}]}]}, with email or subject in place of group for one person',
    cause,
  });
}

async function readText(variable: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('bad-config', `${variable} names ${path}, which cannot be read: ${(cause as Error).message}`, {
      hint: 'check the path and that this user may read it',
      cause,
    }); // prettier-ignore
  }
}
