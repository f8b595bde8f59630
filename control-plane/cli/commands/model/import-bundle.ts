import { openAsBlob } from 'node:fs';
import { modelVersionSchema } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { verb, type AddCommand } from '../../command.ts';
import { modelVersionLines } from '../../model-lines.ts';
import { parseCount } from '../../parse.ts';

interface Options {
  readonly version?: number;
}

export const addModelImportBundle: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'import-bundle <model> <file>',
    'a new version from one tar archive, plain or gzipped: contract.json, weights.onnx, golden.safetensors, and model.sig where authors sign',
    (command) => command.option('--version <n>', 'the number it must get (else the next free)', parseCount),
    async ({ api, out }, { version }, model = '', path = '') => {
      const file = await openBundle(path);
      out.aside(`uploading ${path} (${file.size} bytes)`);
      const query = version === undefined ? '' : `?version=${version}`;
      const imported = await api.post(`/models/${encodeURIComponent(model)}/versions/bundle${query}`, {
        file,
        answer: modelVersionSchema,
        unlimited: true,
      });
      out.answer(imported, () => modelVersionLines(imported));
    },
  );

async function openBundle(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path);
  } catch (cause) {
    throw new HoldfastError('bad-request', `cannot read ${path}`, {
      hint: 'check the path and your rights on it',
      cause,
    });
  }
}
