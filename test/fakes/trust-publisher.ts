// A process that publishes as fast as it can until somebody kills it. Arguments: trust folder, first number, and
// `rotate` when a key is to be replaced between any two. It prints `done <n>` once release n is signed and ordered: from
// then on neither may be lost.

import { applyChange } from '#control-plane/trust/apply-change.ts';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { openTrust } from '#control-plane/trust/open-trust.ts';
import { orderOf, release, signRelease } from './trust-world.ts';

const ROLES = ['timestamp', 'snapshot', 'pipeline', 'targets', 'root', 'measurements'] as const;

const [directory = '', first = '1', mode = ''] = process.argv.slice(2);
const trust = await openTrust({ directory, now: () => new Date() });
for (let number = Number(first); ; number += 1) {
  await signRelease(trust, release(number));
  await trust.director.setOrder('edge-1', orderOf(release(number), 'edge-1', number));
  process.stdout.write(`done ${number}\n`);
  if (mode === 'rotate') {
    await rotate('image', ROLES[number % ROLES.length] ?? 'root');
    await rotate('director', (['timestamp', 'snapshot', 'targets', 'root'] as const)[number % 4] ?? 'root');
  }
}

async function rotate(repository: 'image' | 'director', role: (typeof ROLES)[number]): Promise<void> {
  const { roles } = trust[repository];
  const key = RoleKey.generate();
  const context = {
    repository,
    newKey: key.trustKey,
    isHeld: (keyId: string) => roles.held.has(keyId),
    releasesOf: () => [],
  };
  await roles.edit((documents) => applyChange(documents, { kind: 'rotate', role }, context), [{ role, key }]);
}
