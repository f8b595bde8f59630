// Targets metadata as it was received. @tufjs/models copies its whole map for every entry (seconds for some
// thousand targets) and signs and searches delegations in the order of JavaScript objects, which puts a role
// called `10` first: here entries are read one by one, the signed JSON is kept, and delegations keep their
// order of appearance (TUF 1.0 sections 4.5 and 5.6.7).

import { Metadata, MetadataKind, TargetFile } from '@tufjs/models';
import type { Targets } from '@tufjs/models';
import { RepositoryError } from 'tuf-js/dist/error.js';
import { matchesPattern } from './tuf-path-pattern.ts';
import type { Envelope } from './tuf-threshold.ts';

type Json = Parameters<typeof Metadata.fromJSON>[1];
type Delegations = NonNullable<Targets['delegations']>;

/** Nothing of it is verified yet. Throws for what is no targets metadata. */
export function readTargets({ signed, signatures }: Envelope): Metadata<Targets> {
  const { targets: listed, ...rest } = signed;
  if (!isRecord(listed)) throw new RepositoryError('targets is no map');
  const listedSignatures = [...signatures].map(([keyid, sig]) => ({ keyid, sig }));
  const metadata = Metadata.fromJSON(MetadataKind.Targets, {
    signed: { ...rest, targets: {} },
    signatures: listedSignatures,
  });
  const targets = Object.create(null) as Record<string, TargetFile>; // `constructor` is no target of everybody
  for (const [path, target] of Object.entries(listed)) {
    if (!isRecord(target)) throw new RepositoryError(`${path} is no target`);
    targets[path] = TargetFile.fromJSON(path, target as Json);
  }
  Reflect.set(metadata.signed, 'targets', targets);
  metadata.signed.toJSON = () => signed as Json;
  const { delegations } = metadata.signed;
  if (delegations?.roles !== undefined) keepOrder(delegations, signed);
  return metadata;
}

function keepOrder(delegations: Delegations, signed: Envelope['signed']): void {
  const { roles: listed } = signed.delegations as { readonly roles: readonly { readonly name: string }[] };
  const ordered = listed.map(({ name }) => {
    const role = delegations.roles?.[name];
    if (role === undefined) throw new RepositoryError(`the delegation to ${name} was lost`);
    const { paths } = role;
    if (paths !== undefined) {
      role.isDelegatedPath = (path) => paths.some((pattern) => matchesPattern(path, pattern));
    }
    return role;
  });
  delegations.rolesForTarget = function* rolesForTarget(path) {
    for (const role of ordered) {
      if (role.isDelegatedPath(path)) yield { role: role.name, terminating: role.terminating };
    }
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
