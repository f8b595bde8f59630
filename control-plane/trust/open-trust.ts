// Everything of trust that one data folder holds: keys/, image/, director/ and ca/ under one directory.

import { join } from 'node:path';
import { DeviceCa } from './device-ca.ts';
import { DirectorRepository } from './director-repository.ts';
import { ImageRepository } from './image-repository.ts';
import { KeyStore } from './keys/key-store.ts';

export interface Trust {
  readonly image: ImageRepository;
  readonly director: DirectorRepository;
  readonly ca: DeviceCa;
  /** Private keys lie encrypted on disk. */
  readonly keysAreEncrypted: boolean;
}

/**
 * Opens the trust folder; on first start makes its keys, roots and authority. With a passphrase all private keys are
 * sealed. Errors: `state-corrupt`, `bad-config`, `passphrase-wrong`.
 */
export async function openTrust(options: {
  readonly directory: string;
  readonly now: () => Date;
  readonly passphrase?: string | null;
}): Promise<Trust> {
  const { directory, now, passphrase = null } = options;
  const keyStore = await KeyStore.open(join(directory, 'keys'), passphrase);
  return {
    image: await ImageRepository.open({ directory: join(directory, 'image'), keyStore, now }),
    director: await DirectorRepository.open({ directory: join(directory, 'director'), keyStore, now }),
    ca: await DeviceCa.open({ directory: join(directory, 'ca'), passphrase, now }),
    keysAreEncrypted: keyStore.isEncrypted,
  };
}
