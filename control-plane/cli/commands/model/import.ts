import { modelVersionSchema } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { readBundle } from '../../../trust/offline/model-signature.ts';
import { verb, type AddCommand } from '../../command.ts';
import type { CommandContext, Surroundings } from '../../context.ts';
import { uploadFile } from '../../file-upload.ts';
import { modelVersionLines } from '../../model-lines.ts';
import { parseCount } from '../../parse.ts';
import { openKeyFile, signContract } from './author-signature.ts';
import { readContract } from './read-contract.ts';

interface Options {
  readonly contract: string;
  readonly weights: string;
  readonly golden: string;
  readonly version?: number;
  readonly signature?: string;
  readonly signKey?: string;
  readonly passphraseFile?: string;
}

export const addModelImport: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'import',
    'a new version: its contract, weights and golden vectors',
    (command) =>
      command
        .requiredOption('--contract <file>', 'model contract, JSON')
        .requiredOption('--weights <file>', 'ONNX model')
        .requiredOption('--golden <file>', 'golden vectors, safetensors')
        .option('--version <n>', 'the number it must get (else the next free)', parseCount)
        .option('--sign-key <file>', "an author's key, to sign contract, weights and golden vectors with")
        .option('--signature <file>', 'the signature of those, made before')
        .option(
          '--passphrase-file <file>',
          'holds the passphrase of the key (or HOLDFAST_KEY_PASSPHRASE; else asked)',
        ),
    async (context, options) => {
      const { contract: contractPath, weights, golden, version } = options;
      const contract = await readContract(contractPath);
      const signed = await signatureFor(context, surroundings, contract, options);
      await expectDigest(weights, await uploadFile(context, weights), contract.weights.sha256);
      await expectDigest(golden, await uploadFile(context, golden), contract.golden.sha256);
      const path = `/models/${contract.model}/versions`;
      const imported = await context.api.post(path, {
        body: { contract, version, ...signed },
        answer: modelVersionSchema,
      });
      context.out.answer(imported, () => modelVersionLines(imported));
    },
  );

/** What goes along with the contract. Errors: `bad-request`, `signature-invalid`, `key-invalid`, `passphrase-wrong`. */
async function signatureFor(
  context: CommandContext,
  surroundings: Surroundings,
  contract: ModelContract,
  { signature, signKey, passphraseFile }: Options,
): Promise<{ signature?: unknown; provenance?: unknown }> {
  if (signature !== undefined && signKey !== undefined) {
    throw new HoldfastError('bad-request', 'both --signature and --sign-key were given', {
      hint: 'give the signature that you made, or the key to make it with',
    });
  }
  if (signature !== undefined) return { signature: await readBundle(signature) };
  if (signKey === undefined) return {};
  const privateKey = await openKeyFile(surroundings, { path: signKey, passphraseFile });
  return await signContract(context, contract, privateKey);
}

async function expectDigest(path: string, found: string, declared: string): Promise<void> {
  if (found === declared) return;
  throw new HoldfastError(
    'digest-mismatch',
    `${path} has sha256 ${found}, the contract declares ${declared}`,
    {
      hint: 'give the file that the contract was made with',
    },
  );
}
