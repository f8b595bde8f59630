// Image and Director with the same people for their roots: a root of one is worth nothing in the other.

import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ClockedUpdater } from '#agent/adapters/tuf-internals.ts';
import { Ceremony, listed, someKeys } from './ceremony.ts';

async function rotatedDirector(): Promise<Ceremony> {
  const ceremony = await Ceremony.begin();
  const people = someKeys(2);
  const signers = { keys: listed(people), threshold: 2 };
  await ceremony.change('image', { kind: 'take-over', root: signers, targets: signers });
  await ceremony.sign('image', 'root', people);
  await ceremony.sign('image', 'targets', people);
  await ceremony.change('director', { kind: 'take-over', root: signers });
  await ceremony.sign('director', 'root', people);
  await ceremony.change('director', { kind: 'rotate', role: 'targets' });
  await ceremony.sign('director', 'root', people);
  return ceremony;
}

it('is refused by a device as the next root of the Image repository', async () => {
  await using ceremony = await rotatedDirector();
  const stolen = ceremony.director.roles.state.root;
  expect(stolen.signed.version).toBe(3);
  const metadataDir = join(ceremony.folder, 'device');
  await mkdir(metadataDir);
  await writeFile(join(metadataDir, 'root.json'), ceremony.image.trustedRoot);
  const updater = new ClockedUpdater({
    metadataDir,
    metadataBaseUrl: 'https://gateway.invalid/',
    fetcher: {
      downloadBytes: () => Promise.resolve(stolen.bytes),
      downloadFile: () => Promise.reject(new Error('no file')),
    },
    config: {},
    now: new Date(),
  });
  await expect(updater.refresh()).rejects.toThrow('of another repository');
});

it('does not open as a root of the Image repository', async () => {
  await using ceremony = await rotatedDirector();
  const { folder } = ceremony;
  await copyFile(join(folder, 'director', '3.root.json'), join(folder, 'image', '3.root.json'));
  await expect(ceremony.restart()).rejects.toMatchObject({ code: 'state-corrupt' });
});
