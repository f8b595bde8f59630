// Everything of trust that one data folder holds: keys/, image/, director/ and ca/ under one directory.

import { join } from 'node:path';
import { DeviceCa } from './device-ca.ts';
import { DirectorRepository } from './director-repository.ts';
import { ImageRepository } from './image-repository.ts';
import { KeyStore } from './key-store.ts';

export interface Trust {
  readonly image: ImageRepository;
  readonly director: DirectorRepository;
  readonly ca: DeviceCa;
}

/** Opens the trust folder; on first start makes its keys, roots and authority. Errors: `state-corrupt`, `bad-config`. */
export async function openTrust(options: { directory: string; now: () => Date }): Promise<Trust> {
  const { directory, now } = options;
  const keyStore = await KeyStore.open(join(directory, 'keys'));
  return {
    image: await ImageRepository.open({ directory: join(directory, 'image'), keyStore, now }),
    director: await DirectorRepository.open({ directory: join(directory, 'director'), keyStore, now }),
    ca: await DeviceCa.open({ directory: join(directory, 'ca'), now }),
  };
}
