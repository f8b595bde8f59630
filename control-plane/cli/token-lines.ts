// API tokens as lines for people, and found by the name that people call them by.

import { HoldfastError } from '#protocol/errors.ts';
import { apiTokenSchema, type ApiToken } from '#protocol/operators.ts';
import { grantsInWords } from '../view/access-words.ts';
import { agoInWords } from '../view/words.ts';
import type { ApiClient } from './api-client.ts';
import { tableLines } from './output.ts';

/** What is said beside the text of a new token, which alone is the answer. */
export function newTokenLines(token: ApiToken): string[] {
  return [
    `${token.name} (${token.id}): ${grantsInWords(token.grants)}, until ${day(token.expiresAtMs)}; shown this once`,
  ];
}

export function tokenLines(tokens: readonly ApiToken[], nowMs: number): string[] {
  return tableLines(
    ['name', 'id', 'may', 'expires', 'last used', 'made by'],
    tokens.map((token) => [
      token.name,
      token.id,
      grantsInWords(token.grants),
      token.expiresAtMs !== null && token.expiresAtMs <= nowMs ? 'expired' : day(token.expiresAtMs),
      token.lastUsedAtMs === null ? 'never' : agoInWords(token.lastUsedAtMs, nowMs),
      token.createdBy,
    ]),
  );
}

/** By name or id. Errors: `not-found`. */
export async function tokenCalled(api: ApiClient, nameOrId: string): Promise<ApiToken> {
  const tokens = await api.list('/tokens', apiTokenSchema);
  const found = tokens.find(({ id, name }) => name === nameOrId || id === nameOrId);
  if (found !== undefined) return found;
  throw new HoldfastError('not-found', `you see no token called ${nameOrId}`, {
    hint: 'holdfast token list',
  });
}

function day(atMs: number | null): string {
  return atMs === null ? 'never' : new Date(atMs).toISOString().slice(0, 10);
}
