import { blobRefSchema } from '#protocol/identifiers.ts';
import { verb, type AddCommand } from '../../command.ts';
import { parseCount } from '../../parse.ts';

interface Options {
  readonly sha256: string;
  readonly size: number;
}

export const addBlobFetch: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'fetch <url>',
    'the control plane fetches a file from a bucket or a model server that it may reach',
    (command) =>
      command
        .requiredOption('--sha256 <digest>', 'sha256 that the file must have')
        .requiredOption('--size <bytes>', 'length that the file must have', parseCount),
    async ({ api, out }, { sha256, size }, url = '') => {
      const body = { url, sha256, sizeBytes: size };
      const blob = await api.post('/blobs/fetch', { body, answer: blobRefSchema, unlimited: true });
      out.answer(blob, () => [`fetched ${blob.sha256} (${blob.sizeBytes} bytes)`]);
    },
  );
