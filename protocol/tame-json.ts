// What JSON from outside may be made of, whatever its schema says: bounded depth and number of values, no key that
// could reach a prototype, no number that JSON cannot write, no text that UTF-8 or a database cannot hold. Pure.

export interface TameLimits {
  readonly maxDepth: number;
  readonly maxValues: number;
}

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** What is wrong with a parsed value, as the end of "the JSON has ..."; null when nothing is. */
export function wildnessOf(json: unknown, { maxDepth, maxValues }: TameLimits): string | null {
  const pending: { value: unknown; depth: number }[] = [{ value: json, depth: 0 }];
  let values = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, depth } = next;
    if (++values > maxValues) return `more than ${maxValues} values`;
    if (typeof value === 'number' && !Number.isFinite(value)) return 'a number out of range';
    if (typeof value === 'string' && !isTameText(value)) return 'a text that is no Unicode';
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= maxDepth) return `values nested deeper than ${maxDepth}`;
    for (const [key, inner] of Object.entries(value)) {
      if (FORBIDDEN_KEYS.has(key)) return `the key ${key}`;
      if (!isTameText(key)) return 'a key that is no Unicode';
      pending.push({ value: inner, depth: depth + 1 });
    }
  }
  return null;
}

/** Neither half of a pair of surrogates nor a zero, which PostgreSQL refuses. */
function isTameText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}
