// Values of options, checked with an error that says what would be right.

import { InvalidArgumentError } from 'commander';
import type { Wave } from '#protocol/rollout.ts';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `5m`, `2h`, `1d`, `250ms`; a bare number is seconds. Returns ms. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('give a duration like 90s, 5m or 2h');
  return Math.round(Number(match[1]) * (UNIT_MS[match[2] ?? 's'] ?? 1_000));
}

export function parseCount(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) < 1)
    throw new InvalidArgumentError('give a whole number from 1');
  return Number(text);
}

/** `1,10%,100%` with one soak for all, or `1:5m,10%:1h,100%:0s`. */
export function parseWaves(text: string, soakMs: number): Wave[] {
  return text.split(',').map((part) => {
    const [size = '', soak] = part.trim().split(':');
    const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(size);
    if (match === null) throw new InvalidArgumentError(`"${part}" is no wave; give sizes like 1,10%,100%`);
    const number = Number(match[1]);
    return {
      size: match[2] === '%' ? { percent: number } : { count: number },
      soakMs: soak === undefined ? soakMs : parseDuration(soak),
    };
  });
}

/** Collects `key=value` options into one record. */
export function collectLabel(text: string, labels: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('give a label as key=value');
  return { ...labels, [text.slice(0, at)]: text.slice(at + 1) };
}

export function collect(text: string, list: string[] = []): string[] {
  return [...list, ...text.split(',').filter((part) => part !== '')];
}
