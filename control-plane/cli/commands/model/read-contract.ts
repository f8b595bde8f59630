import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { modelContractSchema, type ModelContract } from '#protocol/model-contract.ts';

/** Errors: `contract-invalid`. */
export async function readContract(path: string): Promise<ModelContract> {
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
