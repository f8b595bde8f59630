// A process that publishes as fast as it can until somebody kills it. Arguments: trust folder, first number.
// It prints `done <n>` once release n is signed and ordered: from then on neither may be lost.

import { openTrust } from '#control-plane/trust/open-trust.ts';
import { PROFILE, orderOf, release } from './trust-world.ts';

const [directory = '', first = '1'] = process.argv.slice(2);
const trust = await openTrust({ directory, now: () => new Date() });
for (let number = Number(first); ; number += 1) {
  const { path, bytes, releaseCounter } = release(number);
  await trust.image.addTarget({ path, bytes, custom: { profile: PROFILE, releaseCounter } });
  await trust.director.setOrder('edge-1', orderOf(release(number), 'edge-1', number));
  process.stdout.write(`done ${number}\n`);
}
