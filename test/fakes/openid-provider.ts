// A real OpenID provider (oidc-provider) on a free loopback port, with people who need no password, and a browser that
// goes through its pages. It answers by the name localhost, so that its cookies are apart from those of 127.0.0.1.

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';

export interface Person {
  readonly email: string;
  readonly email_verified: boolean;
  readonly groups: readonly string[];
}

export interface OpenIdProvider extends AsyncDisposable {
  readonly issuer: string;
  /** From now on it answers, and knows clients that come back to this address; before, it is away. */
  open(redirectUri: string, people: Readonly<Record<string, Person>>): void;
}

export const CLIENT_ID = 'holdfast';
export const OTHER_CLIENT_ID = 'wiki';
export const CLIENT_SECRET = 'a secret of the test, long enough for it';

export async function startOpenIdProvider(): Promise<OpenIdProvider> {
  let answer: RequestListener = (request) => void request.socket.destroy();
  const server = createServer((request, response) => answer(request, response)).listen(0, 'localhost');
  await once(server, 'listening');
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    open(redirectUri, people) {
      const client = (id: string) => ({
        client_id: id, client_secret: CLIENT_SECRET, redirect_uris: [redirectUri],
        grant_types: ['authorization_code'], response_types: ['code'],
      }); // prettier-ignore
      const provider = new Provider(issuer, {
        clients: [client(CLIENT_ID), client(OTHER_CLIENT_ID)],
        claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
        scopes: ['openid', 'email', 'groups'],
        cookies: { keys: ['a key of the test'] },
        ttl: { Session: 600, Grant: 600, Interaction: 600, AccessToken: 600, IdToken: 600 },
        findAccount: (_context: unknown, id: string) =>
          people[id] === undefined
            ? undefined
            : { accountId: id, claims: () => Promise.resolve({ sub: id, ...people[id] }) },
      });
      answer = provider.callback();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Follows redirects step by step and keeps cookies by host, path and name. */
export class Browser {
  readonly #cookies = new Map<string, { host: string; path: string; name: string; value: string }>();

  async visit(url: string, init: RequestInit = {}): Promise<Response> {
    const { hostname, pathname } = new URL(url);
    const cookie = [...this.#cookies.values()]
      .filter(({ host, path }) => host === hostname && pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    const headers = { cookie, ...(init.headers as Record<string, string> | undefined) };
    const answer = await fetch(url, { ...init, redirect: 'manual', headers });
    for (const line of answer.headers.getSetCookie()) this.#keep(hostname, line);
    return answer;
  }

  cookie(name: string): string | undefined {
    return [...this.#cookies.values()].find((one) => one.name === name)?.value;
  }

  /** Signs in at the provider from its first page, and answers the address that it sends the browser back to. */
  async signIn(authorizationUrl: string, login: string): Promise<string> {
    const { origin } = new URL(authorizationUrl);
    let url = authorizationUrl;
    for (let step = 0; step < 12; step++) {
      if (new URL(url).origin !== origin) return url;
      let answer = await this.visit(url);
      if (answer.status === 200) {
        const prompt = /name="prompt" value="(\w+)"/.exec(await answer.text())?.[1] ?? 'login';
        const body = new URLSearchParams({ prompt, login, password: 'any' });
        answer = await this.visit(url, { method: 'POST', body });
      }
      url = new URL(locationOf(answer), url).href;
    }
    throw new Error(`the provider did not come to an end: ${url}`);
  }

  #keep(host: string, line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const path = attributes.find((one) => one.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
    const key = [host, path, name].join(' ');
    const expires = attributes.find((one) => one.toLowerCase().startsWith('expires='))?.slice(8);
    if (expires !== undefined && Date.parse(expires) < Date.now()) this.#cookies.delete(key);
    else this.#cookies.set(key, { host, path, name, value });
  }
}

export function locationOf(answer: Response): string {
  const location = answer.headers.get('location');
  if (location === null) throw new Error(`no redirect: ${answer.status}`);
  return location;
}
