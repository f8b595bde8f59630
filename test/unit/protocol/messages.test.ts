import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '#protocol/errors.ts';
import {
  decodeMessage,
  encodeMessage,
  MAX_PAYLOAD_BYTES,
  messageSchemaName,
  type MessageLeaf,
} from '#protocol/messages.ts';

const FIXTURES = new URL('../../fixtures/protocol/', import.meta.url);
const LEAVES = ['desired', 'reported', 'presence', 'telemetry', 'events', 'command', 'reply'] as const;

interface InvalidCase {
  readonly code: string;
  readonly at: string;
  readonly message?: unknown;
  readonly payload?: string;
}

function casesOf(folder: 'valid' | 'invalid'): { leaf: MessageLeaf; name: string; text: string }[] {
  return readdirSync(new URL(`${folder}/`, FIXTURES)).map((file) => {
    const name = file.replace(/\.json$/, '');
    const leaf = LEAVES.find((candidate) => name.startsWith(`${candidate}-`));
    if (leaf === undefined) throw new Error(`${file} names no leaf`);
    return { leaf, name, text: readFileSync(new URL(`${folder}/${file}`, FIXTURES), 'utf8') };
  });
}

function refusalOf(leaf: MessageLeaf, payload: string): HoldfastError {
  try {
    decodeMessage(leaf, payload);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('was taken');
}

/** Path named in `refused a <leaf> message: [body: ]<path>: ...`; empty for the message as a whole. */
function pathOf(leaf: MessageLeaf, message: string): string {
  const what = message.replace(`refused a ${leaf} message: `, '');
  const [, inBody = '', path = ''] = /^(body: )?([A-Za-z0-9.]+)(?: is|:)/.exec(what) ?? [];
  return [inBody === '' ? '' : 'body', path === 'value' ? '' : path].filter((part) => part !== '').join('.');
}

describe('golden messages', () => {
  test.each(casesOf('valid'))('$name is taken and comes out as it went in', ({ leaf, text }) => {
    const decoded = decodeMessage(leaf, text);
    const { schema, ...fields } = decoded;
    expect(schema).toBe(messageSchemaName(leaf));
    expect(decoded).toEqual(JSON.parse(text));
    expect(JSON.parse(encodeMessage(leaf, fields))).toEqual(JSON.parse(text));
    expect(decodeMessage(leaf, new TextEncoder().encode(text))).toEqual(decoded);
  });

  test.each(casesOf('invalid'))('$name is refused where it is wrong', ({ leaf, text }) => {
    const expected = JSON.parse(text) as InvalidCase;
    const error = refusalOf(leaf, expected.payload ?? JSON.stringify(expected.message));
    expect(error.code).toBe(expected.code);
    expect(pathOf(leaf, error.message)).toBe(expected.at);
    expect(error.hint).toBeDefined();
  });

  test('every leaf has valid and invalid ones', () => {
    for (const folder of ['valid', 'invalid'] as const) {
      expect(new Set(casesOf(folder).map(({ leaf }) => leaf))).toEqual(new Set(LEAVES));
    }
  });

  test('no valid message is taken on another leaf', () => {
    for (const { leaf, text } of casesOf('valid')) {
      for (const other of LEAVES.filter((candidate) => candidate !== leaf)) {
        expect(refusalOf(other, text).message).toContain('schema is');
      }
    }
  });
});

describe('hostile payloads', () => {
  test('arbitrary bytes and JSON are refused as bad-request, and nothing else is thrown', () => {
    const leaf = fc.constantFrom(...LEAVES);
    fc.assert(
      fc.property(leaf, fc.uint8Array({ maxLength: 200 }), (name, bytes) => {
        expect(() => decodeMessage(name, bytes)).toThrow(HoldfastError);
      }),
    );
    fc.assert(
      fc.property(leaf, fc.json(), (name, text) => {
        expect(() => decodeMessage(name, text)).toThrow(HoldfastError);
      }),
    );
  });

  test('every truncation of a valid message is refused', () => {
    for (const { leaf, text } of casesOf('valid')) {
      const compact = JSON.stringify(JSON.parse(text));
      for (let length = 0; length < compact.length; length++) {
        expect(refusalOf(leaf, compact.slice(0, length)).code).toBe('bad-request');
      }
    }
  });

  test('any member replaced by another kind of value is refused or still a valid message', () => {
    const cases = casesOf('valid');
    const wrong = fc.constantFrom<unknown>(null, -1, 1.5, 1e300, '', 'x'.repeat(2_000), [], {}, true, [[]]);
    fc.assert(
      fc.property(fc.constantFrom(...cases), fc.nat(), wrong, ({ leaf, text }, pick, value) => {
        const message: unknown = JSON.parse(text);
        replaceMember(message, pick, value);
        const changed = JSON.stringify(message);
        try {
          const { schema: _schema, ...fields } = decodeMessage(leaf, changed);
          expect(decodeMessage(leaf, encodeMessage(leaf, fields))).toEqual(JSON.parse(changed));
        } catch (error) {
          expect((error as HoldfastError).code).toBe('bad-request');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a payload over the limit is refused before it is parsed', () => {
    const error = refusalOf('presence', ' '.repeat(MAX_PAYLOAD_BYTES + 1));
    expect(error.message).toContain('over the limit');
  });

  test('a key that could reach a prototype is refused', () => {
    const text =
      '{"schema":"holdfast.presence/v1","id":"a","seq":1,"boot":"b","sentAtMs":1,"body":{"online":true,"__proto__":{"x":1}}}';
    expect(refusalOf('presence', text).code).toBe('bad-request');
  });
});

/** Replaces the `pick`-th member, counted over the whole tree. */
function replaceMember(root: unknown, pick: number, value: unknown): void {
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const visit = (holder: unknown): void => {
    if (typeof holder !== 'object' || holder === null) return;
    for (const [key, member] of Object.entries(holder)) {
      places.push({ holder: holder as Record<string, unknown>, key });
      visit(member);
    }
  };
  visit(root);
  const place = places[pick % places.length];
  if (place !== undefined) place.holder[place.key] = value;
}
