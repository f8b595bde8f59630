// The version of this package, from the nearest package.json that states one: built files lie one folder
// deeper, beside a package.json that only maps imports.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';

const CANDIDATES = ['../package.json', '../../package.json'];
const packageSchema = z.object({ version: z.string().max(50).optional() });

export async function packageVersion(): Promise<string> {
  for (const candidate of CANDIDATES) {
    const text = await readFile(new URL(candidate, import.meta.url), 'utf8');
    const { version } = packageSchema.parse(JSON.parse(text));
    if (version !== undefined) return version;
  }
  throw new HoldfastError('bad-config', 'no package.json states a version', {
    hint: 'install the package again',
  });
}
