import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { KEY_SCHEMES, type KeyScheme } from '#protocol/trust.ts';
import { createKey } from '../../../trust/offline/create-key.ts';
import { localVerb, type AddCommand } from '../../command.ts';
import { readPassphrase } from '../../passphrase.ts';

interface Options {
  readonly scheme: string;
  readonly owner: string;
  readonly public?: string;
  readonly passphraseFile?: string;
}

export const addTrustCreateKey: AddCommand = (noun, surroundings) =>
  localVerb<Options>(
    noun,
    surroundings,
    'create-key <file>',
    'a signing key of your own, sealed by a passphrase; it never leaves this machine',
    (command) =>
      command
        .option('--scheme <name>', KEY_SCHEMES.join(' or '), KEY_SCHEMES[0])
        .option('--owner <name>', 'whose key it is, shown beside it', '')
        .option('--public <file>', 'writes the public part too, to be handed to others')
        .option('--passphrase-file <file>', 'holds the passphrase (or HOLDFAST_KEY_PASSPHRASE; else asked)'),
    async ({ out }, { scheme, owner, public: publicPath, passphraseFile }, path = '') => {
      const request = { file: passphraseFile, what: path, confirm: true };
      const passphrase = await readPassphrase(surroundings, request);
      const { text, key } = await createKey({ scheme: schemeOf(scheme), passphrase, owner });
      await writeNew(path, text, 0o600);
      if (publicPath !== undefined) await writeNew(publicPath, `${JSON.stringify(key, null, 2)}\n`, 0o644);
      out.answer(key, () => [
        `${path}: key ${key.keyId}`,
        'Keep a copy elsewhere: nobody can make it again.',
      ]);
    },
  );

function schemeOf(name: string): KeyScheme {
  const found = KEY_SCHEMES.find((scheme) => scheme === name);
  if (found !== undefined) return found;
  throw new HoldfastError('bad-config', `there is no scheme ${name}`, {
    hint: `use ${KEY_SCHEMES.join(' or ')}`,
  });
}

/** Never over a file that is there: it may be the only copy of a key. */
async function writeNew(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(path, text, { flag: 'wx', mode });
  } catch (cause) {
    throw new HoldfastError('conflict', `${path} cannot be written`, {
      hint: 'choose a path where no file is',
      cause,
    });
  }
  await using handle = await open(path);
  await handle.sync();
}
