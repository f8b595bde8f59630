// The OpenID provider: found at the first login, and again after a failure, so that the control plane starts and serves
// tokens while the provider is away. The library checks issuer, audience, nonce, expiry and signature of the ID token.
// Source: OpenID Connect Core 1.0; RFC 7636 (PKCE), RFC 9207 (issuer in the answer).

import * as client from 'openid-client';
import { HoldfastError } from '#protocol/errors.ts';
import { identitySchema, type Identity } from './identity.ts';
import type { OidcSettings } from './settings.ts';

const TIMEOUT_S = 10;
/** Metadata of the provider is read again after this time. */
const REDISCOVERED_AFTER_MS = 3_600_000;

/** What one login keeps to itself until it comes back. */
export interface LoginSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

export function newLoginSecrets(): LoginSecrets {
  return {
    state: client.randomState(),
    nonce: client.randomNonce(),
    codeVerifier: client.randomPKCECodeVerifier(),
  };
}

export class OidcProvider {
  readonly #settings: OidcSettings;
  readonly #nowMs: () => number;
  #discovered: { readonly configuration: client.Configuration; readonly atMs: number } | null = null;
  #pending: Promise<client.Configuration> | null = null;

  constructor(settings: OidcSettings, nowMs: () => number) {
    this.#settings = settings;
    this.#nowMs = nowMs;
  }

  get name(): string {
    return this.#settings.issuer.host;
  }

  /** Where the browser goes to sign in. Errors: `unavailable`. */
  async loginUrl(secrets: LoginSecrets, redirectUri: string): Promise<URL> {
    const configuration = await this.#configuration();
    return client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.#settings.scopes,
      state: secrets.state,
      nonce: secrets.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(secrets.codeVerifier),
      code_challenge_method: 'S256',
    });
  }

  /** Who came back with this address. Errors: `unauthorized` when the answer does not hold, `unavailable`. */
  async identityOf(callback: URL, secrets: LoginSecrets): Promise<Identity> {
    const configuration = await this.#configuration();
    try {
      const answer = await client.authorizationCodeGrant(configuration, callback, {
        expectedState: secrets.state,
        expectedNonce: secrets.nonce,
        pkceCodeVerifier: secrets.codeVerifier,
        idTokenExpected: true,
      });
      const claims = answer.claims();
      if (claims === undefined) throw new Error('the provider sent no ID token');
      const hasMore = configuration.serverMetadata().userinfo_endpoint !== undefined;
      const more = hasMore ? await client.fetchUserInfo(configuration, answer.access_token, claims.sub) : {};
      return this.#identity({ ...more, ...claims });
    } catch (cause) {
      throw new HoldfastError('unauthorized', `the provider's answer does not hold: ${(cause as Error).message}`, {
        hint: 'sign in once more; if it happens again, the log of the control plane has the rest',
        cause,
      }); // prettier-ignore
    }
  }

  #identity(claims: Readonly<Record<string, unknown>>): Identity {
    const { email, email_verified: isVerified } = claims;
    const groups = claims[this.#settings.groupsClaim];
    return identitySchema.parse({
      issuer: claims['iss'],
      subject: claims['sub'],
      email: typeof email === 'string' && isVerified === true ? email.toLowerCase() : null,
      groups: Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [],
    });
  }

  async #configuration(): Promise<client.Configuration> {
    const known = this.#discovered;
    if (known !== null && this.#nowMs() - known.atMs < REDISCOVERED_AFTER_MS) return known.configuration;
    this.#pending ??= this.#discover().finally(() => {
      this.#pending = null;
    });
    return await this.#pending;
  }

  async #discover(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings;
    const proof = clientSecret === null ? client.None() : client.ClientSecretBasic(clientSecret);
    // Settings allow http for a provider on this machine only.
    // oxlint-disable-next-line typescript/no-deprecated
    const execute = issuer.protocol === 'http:' ? [client.allowInsecureRequests] : [];
    try {
      const configuration = await client.discovery(issuer, clientId, undefined, proof, {
        execute,
        timeout: TIMEOUT_S,
      });
      this.#discovered = { configuration, atMs: this.#nowMs() };
      return configuration;
    } catch (cause) {
      throw new HoldfastError('unavailable', `the OpenID provider ${issuer.href} cannot be reached`, {
        hint: 'check HOLDFAST_OIDC_ISSUER and that the provider runs; API tokens go on working',
        cause,
      });
    }
  }
}
