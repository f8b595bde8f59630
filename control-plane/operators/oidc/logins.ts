// Logins at the provider that are under way. Invariants: each comes back once, within ten minutes, in the browser that
// began it (else somebody could sign another's browser in as himself); it goes on to a page of this console only.

import type { Store } from '../../store/database.ts';
import { newSecret, secretSha256 } from '../secret.ts';
import type { LoginSecrets } from './provider.ts';

export const LOGIN_TTL_MS = 600_000;
/** More than so many at a time: the oldest are forgotten. */
const MAX_LOGINS = 10_000;

export interface FinishedLogin extends LoginSecrets {
  readonly returnTo: string;
}

export class Logins {
  readonly #store: Store;
  readonly #nowMs: () => number;

  constructor(store: Store, nowMs: () => number) {
    this.#store = store;
    this.#nowMs = nowMs;
  }

  /** Answers the value for the cookie that binds the login to its browser. */
  async begin(secrets: LoginSecrets, returnTo: string): Promise<string> {
    const browser = newSecret();
    const nowMs = this.#nowMs();
    const row = {
      state_sha256: secretSha256(secrets.state),
      browser_sha256: secretSha256(browser),
      nonce: secrets.nonce,
      code_verifier: secrets.codeVerifier,
      return_to: returnTo,
      expires_at_ms: nowMs + LOGIN_TTL_MS,
    };
    await this.#store.transaction(async (trx) => {
      await trx.deleteFrom('logins').where('expires_at_ms', '<=', nowMs).execute();
      const oldest = await trx
        .selectFrom('logins')
        .select('expires_at_ms')
        .orderBy('expires_at_ms', 'desc')
        .offset(MAX_LOGINS - 1)
        .limit(1)
        .executeTakeFirst();
      if (oldest !== undefined) {
        await trx.deleteFrom('logins').where('expires_at_ms', '<=', oldest.expires_at_ms).execute();
      }
      await trx.insertInto('logins').values(row).execute();
    });
    return browser;
  }

  /** Takes a login that came back. Null when it is unknown, too late, or of another browser. */
  async finish(state: string, browser: string): Promise<FinishedLogin | null> {
    const row = await this.#store.db
      .deleteFrom('logins')
      .where('state_sha256', '=', secretSha256(state))
      .where('browser_sha256', '=', secretSha256(browser))
      .returningAll()
      .executeTakeFirst();
    if (row === undefined || row.expires_at_ms <= this.#nowMs()) return null;
    return { state, nonce: row.nonce, codeVerifier: row.code_verifier, returnTo: row.return_to };
  }
}

/** The path itself when it leads to a page of this console, else the front page. */
export function safeReturnPath(path: string | undefined): string {
  const origin = 'http://console.invalid';
  if (path === undefined || !/^\/(?![/\\])[\x21-\x7e]*$/.test(path) || !URL.canParse(path, origin))
    return '/';
  const url = new URL(path, origin);
  return url.origin === origin && !url.pathname.startsWith('//') ? url.pathname + url.search : '/';
}
