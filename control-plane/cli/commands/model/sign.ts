// Signs a model: files on this machine, or a version that the control plane has.

import { HoldfastError } from '#protocol/errors.ts';
import type { AddCommand } from '../../command.ts';
import { contextOf, localContextOf, withSharedOptions } from '../../context.ts';
import { parseCount } from '../../parse.ts';
import { signLocalFiles } from './sign-files.ts';
import { signModelVersion } from './sign-version.ts';

interface Options {
  readonly version?: number;
  readonly files?: string;
  readonly key?: string;
  readonly out?: string;
  readonly passphraseFile?: string;
}

export const addModelSign: AddCommand = (noun, surroundings) => {
  const command = noun
    .command('sign [model]')
    .description(
      'signs files on this machine (--files, --key, --out), or releases a version (<model>, --version)',
    )
    .option('--version <n>', 'which version of the model to release', parseCount)
    .option('--key <file>', "an author's key; left out, the control plane signs with its own")
    .option(
      '--files <folder>',
      'the files to sign; of a version contract.json, weights.onnx, golden.safetensors',
    )
    .option('--out <file>', 'where the signature of files goes')
    .option(
      '--passphrase-file <file>',
      'holds the passphrase of the key (or HOLDFAST_KEY_PASSPHRASE; else asked)',
    );
  withSharedOptions(command).action(async (model: string | undefined) => {
    const { version, files, key, out, passphraseFile } = command.opts<Options>();
    const keyOf = key === undefined ? null : { path: key, passphraseFile };
    if (model === undefined) {
      if (files === undefined || keyOf === null || out === undefined) throw incomplete();
      const request = { folder: files, signaturePath: out };
      return signLocalFiles(localContextOf(command, surroundings), surroundings, request, keyOf);
    }
    if (version === undefined || out !== undefined) throw incomplete();
    const request = { model, version, folder: files ?? null };
    await signModelVersion(contextOf(command, surroundings), surroundings, request, keyOf);
  });
};

function incomplete(): HoldfastError {
  return new HoldfastError('bad-request', 'it is not clear what to sign', {
    hint: '`model sign --files DIR --key FILE --out FILE` signs files, `model sign <model> --version N` a version',
  });
}
