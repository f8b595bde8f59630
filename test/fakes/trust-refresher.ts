// A process that refreshes a device's trusted metadata until somebody kills it. Arguments: identity folder,
// metadata folder. It prints `done <seq>` for each order that it verified: none older may be taken after that.

import { IdentityFiles } from '#agent/adapters/identity-files.ts';
import { TufVerifier } from '#agent/adapters/tuf-verifier.ts';
import { errorCodeOf } from '#protocol/errors.ts';
import { PROFILE, dispatcherOf } from './trust-world.ts';

const [identityFolder = '', directory = ''] = process.argv.slice(2);
const identity = await new IdentityFiles(identityFolder).load();
if (identity === null) throw new Error('not enrolled');
const verifier = new TufVerifier({
  directory,
  identity,
  profile: PROFILE,
  dispatcher: dispatcherOf(identity),
  now: () => new Date(),
});
for (;;) {
  try {
    const verified = await verifier.refresh({ highestSeq: 0, signal: new AbortController().signal });
    process.stdout.write(`done ${verified?.order.seq}\n`);
  } catch (error) {
    // Between two of its requests more was published than the repository keeps.
    if (errorCodeOf(error) !== 'tuf-unavailable') throw error;
  }
}
