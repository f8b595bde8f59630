import { open, rm, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { claimSchema, type Claim } from '#protocol/claims.ts';
import { describeError, HoldfastError } from '#protocol/errors.ts';
import { verb, type AddCommand } from '../../command.ts';
import { collectLabel, parseCount, parseDuration } from '../../parse.ts';

interface Options {
  readonly device?: string;
  readonly idPrefix?: string;
  readonly profile?: string;
  readonly label?: Record<string, string>;
  readonly ttl: number;
  readonly uses?: number;
  readonly approval?: boolean;
  readonly replace?: boolean;
  readonly batch?: number;
  readonly csv?: string;
}

export const addClaimCreate: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'create',
    'a claim with which a device enrols, or several',
    (command) =>
      command
        .option('--device <id>', 'the id that the device gets (made up otherwise)')
        .option('--id-prefix <text>', 'what made-up ids begin with')
        .option('--profile <name>', 'only this profile may use it')
        .option('--label <key=value>', 'label of the device, may be repeated', collectLabel)
        .option('--ttl <duration>', 'how long it is good for', parseDuration, 3_600_000)
        .option('--uses <count>', 'good for so many devices', parseCount)
        .option('--approval', 'a person decides before a device is let in')
        .option(
          '--replace',
          'takes the place of a device that was decommissioned, or whose certificate ended',
        )
        .option('--batch <count>', 'so many claims for one device each, to --csv', parseCount)
        .option('--csv <file>', 'where a batch is written, readable for you alone'),
    async ({ api, out }, { device, ttl, label, batch, csv, ...options }) => {
      const { idPrefix, profile, approval } = options;
      const scope = { idPrefix, profile, labels: label ?? {}, ttlMs: ttl, approval };
      if (batch === undefined) {
        const body = { ...scope, deviceId: device, uses: options.uses, replace: options.replace };
        const claim = await api.post('/claims', { body, answer: claimSchema });
        out.answer(claim, () => [claim.token]);
        return;
      }
      requireBatchOptions(csv, device ?? options.uses ?? options.replace);
      const body = { ...scope, count: batch };
      const answer = z.strictObject({ items: z.array(claimSchema) });
      const items = await intoNewFile(csv, async (file) => {
        const made = await api.post('/claims/batch', { body, answer });
        await file.writeFile(csvOf(made.items));
        return made.items;
      });
      out.answer({ claims: items.length, csv }, () => [`${items.length} claims in ${csv}`]);
    },
  );

function requireBatchOptions(csv: string | undefined, single: unknown): asserts csv is string {
  if (csv !== undefined && single === undefined) return;
  throw new HoldfastError(
    'bad-config',
    csv === undefined ? '--batch needs --csv' : '--batch goes with neither --device, --uses nor --replace',
    { hint: 'holdfast claim create --batch 200 --csv claims.csv' },
  );
}

/** The file is opened before anything is made, so that no token is lost; it is removed again when `write` fails. */
async function intoNewFile<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  await using file = await open(path, 'wx', 0o600).catch((cause: unknown) => {
    throw new HoldfastError('bad-config', `${path} cannot be made: ${describeError(cause)}`, {
      hint: 'name a file that is not there yet',
      cause,
    });
  });
  try {
    return await write(file);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** No field can hold a comma or a quote. */
function csvOf(claims: readonly Claim[]): string {
  const rows = claims.map(({ claimId, deviceId, expiresAtMs, token }) =>
    [claimId, deviceId ?? '', new Date(expiresAtMs).toISOString(), token].join(','),
  );
  return `${['claim,device,expires,token', ...rows].join('\r\n')}\r\n`;
}
