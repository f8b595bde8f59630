// An API token as a row for people. Pure.

import type { ApiToken } from '#protocol/operators.ts';
import { grantsInWords } from './access-words.ts';
import { agoInWords, type Tone } from './words.ts';

const SOON_MS = 7 * 86_400_000;

export interface TokenRow {
  readonly may: string;
  readonly until: string;
  readonly tone: Tone;
  readonly lastUsed: string;
  /** The first token is revoked and rotated in the data folder only. */
  readonly isChangedInFolder: boolean;
}

export function tokenRow(
  { grants, expiresAtMs, lastUsedAtMs, createdBy }: ApiToken,
  nowMs: number,
): TokenRow {
  const leftMs = expiresAtMs === null ? Infinity : expiresAtMs - nowMs;
  return {
    may: grantsInWords(grants),
    until: untilInWords(expiresAtMs, leftMs),
    tone: leftMs <= 0 ? 'bad' : leftMs < SOON_MS ? 'attention' : 'idle',
    lastUsed: agoInWords(lastUsedAtMs, nowMs),
    isChangedInFolder: createdBy === 'system',
  };
}

function untilInWords(expiresAtMs: number | null, leftMs: number): string {
  if (expiresAtMs === null) return 'does not expire';
  return leftMs <= 0 ? 'expired' : new Date(expiresAtMs).toISOString().slice(0, 10);
}
