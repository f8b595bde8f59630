// The passphrase that seals the private keys of the control plane: by environment, or from a file of its own.

import { readFile, stat } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';

const MAX_FILE_BYTES = 4_096;

export interface PassphraseSettings {
  readonly trustPassphrase?: string | undefined;
  readonly trustPassphraseFile?: string | undefined;
}

/** Null when none was set. The line end at the end of the file does not count. Errors: `bad-config`. */
export async function trustPassphrase(settings: PassphraseSettings): Promise<string | null> {
  const { trustPassphrase: passphrase, trustPassphraseFile: path } = settings;
  if (passphrase !== undefined && path !== undefined) {
    throw new HoldfastError('bad-config', 'the passphrase of the trust keys is set twice', {
      hint: 'Set HOLDFAST_TRUST_PASSPHRASE_FILE or HOLDFAST_TRUST_PASSPHRASE, not both.',
    });
  }
  if (path === undefined) return passphrase ?? null;
  const text = await readSecret(path);
  if (text !== '') return text;
  throw new HoldfastError('bad-config', `${path} holds no passphrase`, {
    hint: 'Put the passphrase of the trust keys into its first line.',
  });
}

async function readSecret(path: string): Promise<string> {
  const { mode, size } = await stat(path).catch((cause: unknown) => {
    throw new HoldfastError('bad-config', `cannot read the passphrase file ${path}`, {
      hint: 'HOLDFAST_TRUST_PASSPHRASE_FILE names a file that the control plane may read.',
      cause,
    });
  });
  if ((mode & 0o077) !== 0) {
    throw new HoldfastError('bad-config', `others may read the passphrase file ${path}`, {
      hint: `chmod 600 ${path}, and change the passphrase if others had access.`,
    });
  }
  if (size > MAX_FILE_BYTES) {
    throw new HoldfastError('bad-config', `${path} is too large for a passphrase file`, {
      hint: 'It holds one line.',
    });
  }
  return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
}
