import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MOSQUITTO_FILES, mosquittoFilesSchema } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { verb, type AddCommand } from '../../command.ts';

interface Options {
  readonly out: string;
  readonly directory?: string;
  readonly port: string;
  readonly force?: boolean;
}

export const addBrokerMosquitto: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'mosquitto',
    'files with which Mosquitto enforces the rules of the embedded broker',
    (command) =>
      command
        .requiredOption('--out <folder>', 'where the files are written')
        .option('--directory <path>', 'where Mosquitto will find them (else the same folder)')
        .option('--port <number>', 'on which Mosquitto listens', '8883')
        .option('--force', 'replaces the settings and the rules also where somebody has changed them'),
    async ({ api, out }, { out: folder, directory, port, force }) => {
      const query = new URLSearchParams({ directory: directory ?? resolve(folder), port });
      const answer = await api.get(`/broker/mosquitto?${query.toString()}`, mosquittoFilesSchema);
      const rules = [
        { name: MOSQUITTO_FILES.conf, text: answer.conf },
        { name: MOSQUITTO_FILES.acl, text: answer.acl },
      ];
      if (force !== true) for (const { name, text } of rules) await refuseChanged(join(folder, name), text);
      const files = [
        ...rules,
        { name: MOSQUITTO_FILES.ca, text: answer.caPem },
        ...(answer.crlPem === null ? [] : [{ name: MOSQUITTO_FILES.crl, text: answer.crlPem }]),
      ];
      await mkdir(folder, { recursive: true });
      for (const { name, text } of files) await writeFile(join(folder, name), text);
      const paths = files.map(({ name }) => join(folder, name));
      out.answer({ files: paths }, () => [
        ...paths,
        `Put the broker's own ${MOSQUITTO_FILES.certificate} and ${MOSQUITTO_FILES.key} beside them, and run this again every day: the revocation list has a date.`,
      ]);
    },
  );

/** Errors: `conflict` for a file that is there and says something else. */
async function refuseChanged(path: string, text: string): Promise<void> {
  let there: string;
  try {
    there = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (there === text) return;
  throw new HoldfastError('conflict', `${path} says something else`, {
    hint: 'compare it with what --out writes into an empty folder, or replace it with --force',
  });
}
