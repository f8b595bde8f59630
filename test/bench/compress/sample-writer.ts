// Calibration samples on disk: a folder a sample with a .npy file an input, and labels.npy where samples have a
// class. Both quantizers read the same folder.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { encodeNpy } from './npy.ts';

/** Writes samples under `folder`, which is made. */
export async function writeSamples(
  folder: string,
  samples: readonly TensorFeed[],
  labels: readonly number[] | null,
): Promise<void> {
  for (const [index, sample] of samples.entries()) {
    const sampleFolder = join(folder, String(index));
    await mkdir(sampleFolder, { recursive: true });
    for (const [name, tensor] of Object.entries(sample)) {
      await writeFile(join(sampleFolder, `${name.replaceAll('/', '__')}.npy`), encodeNpy(tensor));
    }
  }
  if (labels === null) return;
  const data = new Uint8Array(BigInt64Array.from(labels, BigInt).buffer);
  await writeFile(join(folder, 'labels.npy'), encodeNpy({ dtype: 'INT64', shape: [labels.length], data }));
}
