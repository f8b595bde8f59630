// Which keys a repository names, and which it named before and names no longer.

import { join } from 'node:path';
import { readSigned, type RootDocument, type TargetsDocument } from './documents.ts';
import { readFileIfPresent } from './durable-files.ts';
import type { RolesState } from './image-plan.ts';
import type { RootFile } from './root-chain.ts';

/** Key ids of everything that is published or waits. */
export function keyIdsNamed({ root, published, staged }: RolesState): Set<string> {
  const documents = [root, ...published.values(), ...staged.values()].map(({ signed }) => signed);
  return new Set(documents.flatMap(keyIdsOf));
}

/** Key ids that older metadata on disk names and nothing does any more: of a change that was cut off. */
export async function retiredKeyIds(
  directory: string,
  roots: readonly RootFile[],
  state: RolesState,
): Promise<Set<string>> {
  const version = state.published.get('targets')?.signed.version ?? 0;
  const bytes = await readFileIfPresent(join(directory, `${version - 1}.targets.json`));
  const older = [
    ...roots.map(({ signed }) => signed),
    ...(bytes === null ? [] : [readSigned('targets', bytes).signed]),
  ];
  return without(new Set(older.flatMap(keyIdsOf)), keyIdsNamed(state));
}

export function without(keyIds: ReadonlySet<string>, kept: ReadonlySet<string>): Set<string> {
  return new Set([...keyIds].filter((keyId) => !kept.has(keyId)));
}

function keyIdsOf(document: RootDocument | TargetsDocument): string[] {
  return Object.keys((document._type === 'root' ? document.keys : document.delegations?.keys) ?? {});
}
