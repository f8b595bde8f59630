import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { modelVersionSchema } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { modelContractSchema, type ModelContract } from '#protocol/model-contract.ts';
import { verb, type AddCommand } from '../../command.ts';
import { uploadFile } from '../../file-upload.ts';
import { modelVersionLines } from '../../model-lines.ts';
import { parseCount } from '../../parse.ts';

interface Options {
  readonly contract: string;
  readonly weights: string;
  readonly golden: string;
  readonly version?: number;
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
        .option('--version <n>', 'the number it must get (else the next free)', parseCount),
    async (context, { contract: contractPath, weights, golden, version }) => {
      const contract = await readContract(contractPath);
      await expectDigest(weights, await uploadFile(context, weights), contract.weights.sha256);
      await expectDigest(golden, await uploadFile(context, golden), contract.golden.sha256);
      const path = `/models/${contract.model}/versions`;
      const imported = await context.api.post(path, {
        body: { contract, version },
        answer: modelVersionSchema,
      });
      context.out.answer(imported, () => modelVersionLines(imported));
    },
  );

async function readContract(path: string): Promise<ModelContract> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new HoldfastError('contract-invalid', `${path} cannot be read as JSON`, {
      hint: 'check the path and the text',
      cause,
    });
  }
  const parsed = modelContractSchema.safeParse(value);
  if (!parsed.success) {
    throw new HoldfastError(
      'contract-invalid',
      `${path} is not a model contract:\n${z.prettifyError(parsed.error)}`,
    );
  }
  return parsed.data;
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
