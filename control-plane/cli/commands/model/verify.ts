import { readPublicKey } from '../../../trust/offline/key-input.ts';
import { verifyFolder } from '../../../trust/offline/model-signature.ts';
import { localVerb, type AddCommand } from '../../command.ts';

interface Options {
  readonly files: string;
  readonly key: string;
  readonly signature: string;
}

export const addModelVerify: AddCommand = (noun, surroundings) =>
  localVerb<Options>(
    noun,
    surroundings,
    'verify',
    'whether a signature is over the files of a folder, made with a key; needs no control plane',
    (command) =>
      command
        .requiredOption('--files <folder>', 'the files of the model')
        .requiredOption('--key <file>', 'the public key, or a key file whose passphrase is not needed')
        .requiredOption('--signature <file>', 'what `model sign --files` or the Python tool made'),
    async ({ out, signal }, { files: folder, key: keyPath, signature: signaturePath }) => {
      const key = await readPublicKey(keyPath);
      const { name, files } = await verifyFolder({ folder, signaturePath, signal }, [key]);
      const owner = key.owner === '' ? '' : ` of ${key.owner}`;
      out.answer({ name, keyId: key.keyId, files: Object.fromEntries(files) }, () => [
        `${files.size} files, all as they were signed with key ${key.keyId.slice(0, 12)}${owner}:`,
        ...[...files].map(([path, digest]) => `  ${digest.slice(0, 12)}  ${path}`),
      ]);
    },
  );
