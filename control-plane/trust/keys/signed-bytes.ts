// The bytes that TUF signs: canonical JSON of the OLPC kind, where strings keep every character but `\` and `"` as it
// is. It differs from protocol/canonical-json.ts in control characters alone, and PEM keys hold line breaks.
// Source: TUF 1.0.33, section 4.2.1.

export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export type JsonObject = { [name: string]: JsonValue };

export function signedBytes(signed: JsonObject): Buffer {
  return Buffer.from(canonical(signed));
}

function canonical(value: JsonValue): string {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.keys(value)
      .toSorted()
      .map((name) => `${text(name)}:${canonical(value[name] ?? null)}`);
    return `{${members.join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new TypeError(`${value} cannot be signed: canonical JSON has whole numbers only`);
  }
  return JSON.stringify(value);
}

function text(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
