// What a person is about to sign, in words: all that differs between two versions of root or targets metadata, or all
// there is where the earlier one cannot be believed. Pure. Invariant: two documents that differ never read the same.

import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';

// Strict where not all is said in words: a field that this version does not know is refused, not passed over.
const roleSchema = z.strictObject({ keyids: z.array(z.string()), threshold: z.int() });
const delegationSchema = roleSchema.extend({
  name: z.string(),
  terminating: z.boolean(),
  paths: z.array(z.string()).default([]),
});
const keysSchema = z.record(z.string(), z.looseObject({ 'x-holdfast-owner': z.string().default('') }));
const documentSchema = z.looseObject({
  version: z.int(),
  expires: z.string(),
  keys: keysSchema.default({}),
  roles: z.record(z.string(), roleSchema).default({}),
  delegations: z
    .strictObject({ keys: keysSchema, roles: z.array(delegationSchema).default([]) })
    .default({ keys: {}, roles: [] }),
  targets: z.record(z.string(), z.json()).default({}),
  holdfast: z.record(z.string(), z.json()).default({}),
});
type Document = z.output<typeof documentSchema>;

const NOTHING: Document = documentSchema.parse({ version: 0, expires: '' });
/** Said in words of their own; what else differs is shown as it stands. */
const SPOKEN = new Set(['version', 'expires', 'keys', 'roles', 'delegations', 'targets', 'holdfast']);

/** Lines for people; `before` is null when all of it is to be read. Throws a ZodError for what is no such metadata. */
export function describeChange(before: unknown, after: unknown): string[] {
  const old = before === null ? NOTHING : documentSchema.parse(before);
  const next = documentSchema.parse(after);
  return [
    `version ${old.version === 0 ? '' : `${old.version} -> `}${next.version}, good until ${next.expires}`,
    ...differences('key', texts(old.keys), texts(next.keys)),
    ...differences('delegated key', texts(old.delegations.keys), texts(next.delegations.keys)),
    ...differences('role', signers(old), signers(next)),
    ...differences('delegation', delegations(old), delegations(next)),
    ...orderOf(old, next),
    ...differences('target', texts(old.targets), texts(next.targets)),
    ...differences('holdfast', texts(old.holdfast), texts(next.holdfast)),
    ...differences('field', rest(old), rest(next)),
  ];
}

function signers({ roles, keys }: Document): Map<string, string> {
  return new Map(Object.entries(roles).map(([name, role]) => [name, signersText(role, keys)]));
}

function delegations({ delegations: { keys, roles } }: Document): Map<string, string> {
  return new Map(
    roles.map((role) => [
      role.name,
      `${signersText(role, keys)}, for ${role.paths.join(' ')}${role.terminating ? ', and nobody after it' : ''}`,
    ]),
  );
}

function signersText(
  { keyids, threshold }: z.infer<typeof roleSchema>,
  keys: z.output<typeof keysSchema>,
): string {
  const names = keyids.map((id) => {
    const owner = keys[id]?.['x-holdfast-owner'] ?? 'not listed';
    return `${id}${owner === '' ? '' : ` (${JSON.stringify(owner)})`}`;
  });
  return `${threshold} of ${keyids.length} keys: ${names.join(', ')}`;
}

/** The order of delegations decides whose word counts. */
function orderOf(old: Document, next: Document): string[] {
  const [from, to] = [old, next].map(({ delegations: { roles } }) => roles.map(({ name }) => name));
  if (isDeepStrictEqual(from, to) || to === undefined || to.length < 2) return [];
  return [`  delegations are asked in the order ${to.join(', ')}`];
}

function texts(values: Readonly<Record<string, unknown>>): Map<string, string> {
  return new Map(Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)]));
}

function rest(document: Document): Map<string, string> {
  return texts(Object.fromEntries(Object.entries(document).filter(([name]) => !SPOKEN.has(name))));
}

function differences(what: string, before: Map<string, string>, after: Map<string, string>): string[] {
  const lines: string[] = [];
  for (const [name, text] of after) {
    const old = before.get(name);
    if (old === undefined) lines.push(`+ ${what} ${name}: ${text}`);
    else if (old !== text) lines.push(`- ${what} ${name}: ${old}`, `+ ${what} ${name}: ${text}`);
  }
  for (const [name, text] of before) if (!after.has(name)) lines.push(`- ${what} ${name}: ${text}`);
  return lines;
}
