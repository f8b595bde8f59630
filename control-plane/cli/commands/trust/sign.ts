// Signs staged metadata with a person's own key: fetched and sent by this command, or carried in files between a
// machine with the key and one with the network.

import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import {
  repositorySchema,
  roleNameSchema,
  stagedRoleSchema,
  trustOutcomeSchema,
  trustSignatureSchema,
  type StagedRole,
} from '#protocol/trust.ts';
import { describeChange } from '../../../trust/offline/describe-change.ts';
import { readPrivateKey, readPublicKeyIfOpen } from '../../../trust/offline/key-input.ts';
import { isSignedBefore, signedBefore, signStaged } from '../../../trust/offline/sign-staged.ts';
import { localVerb, verb, type AddCommand } from '../../command.ts';
import type { CommandContext } from '../../context.ts';
import { readPassphrase } from '../../passphrase.ts';
import { outcomeLines } from '../../trust-lines.ts';
import { repositoryOption } from './repository-option.ts';

/** A signature on its way from a machine without network. */
const carriedSchema = z.strictObject({
  repository: repositorySchema,
  role: roleNameSchema,
  signature: trustSignatureSchema,
});
type Carried = z.infer<typeof carriedSchema>;

interface KeyOptions {
  readonly key: string;
  readonly passphraseFile?: string;
}

export const addTrustSign: AddCommand = (noun, surroundings) => {
  verb<KeyOptions & { repository: string }>(
    noun,
    surroundings,
    'sign <role>',
    'shows what waits for signatures, signs it with your key, and sends the signature',
    (command) => repositoryOption(keyOptions(command)),
    async (context, options, role = '') => {
      const path = `/trust/${encodeURIComponent(options.repository)}/${encodeURIComponent(role)}/staged`;
      const staged = await context.api.get(path, stagedRoleSchema);
      if (staged.repository !== options.repository || staged.role !== role) {
        throw new HoldfastError('signature-invalid', `the answer is not ${options.repository} ${role}`, {
          hint: 'do not sign it; the control plane answered with another role than was asked for',
        });
      }
      await send(context, await sign(staged, options));
    },
  );
  localVerb<KeyOptions & { in: string; out: string }>(
    noun,
    surroundings,
    'sign-file',
    'the same without a network: signs what `trust export` wrote',
    (command) =>
      keyOptions(command)
        .requiredOption('--in <file>', 'what `trust export` wrote')
        .requiredOption('--out <file>', 'the signature, for `trust send`'),
    async ({ out }, options) => {
      const carried = await sign(await readCarried(options.in, stagedRoleSchema), options);
      await writeFile(options.out, `${JSON.stringify(carried)}\n`);
      out.answer(carried, () => [`signature of ${carried.role} written to ${options.out}`]);
    },
  );
  verb(
    noun,
    surroundings,
    'send <file>',
    'a signature that `trust sign-file` wrote',
    (command) => command,
    async (context, _options, file = '') => send(context, await readCarried(file, carriedSchema)),
  );

  async function sign(staged: StagedRole, { key, passphraseFile }: KeyOptions): Promise<Carried> {
    const { repository, role } = staged;
    const hasSeen = await hasSignedBefore(staged, key);
    const lines = describeChange(hasSeen ? signedBefore(staged) : null, staged.signed);
    const head = hasSeen ? 'what changes' : 'all of it, since this key did not sign the version before';
    surroundings.writeAside(`${[`${repository} ${role}, ${head}:`, ...lines].join('\n')}\n`);
    const privateKey = await readPrivateKey(key, () =>
      readPassphrase(surroundings, { file: passphraseFile, what: `${key}, to sign this` }),
    );
    return { repository, role, signature: signStaged(staged, privateKey) };
  }
};

function keyOptions(command: Command): Command {
  return command
    .requiredOption('--key <file>', 'your key')
    .option('--passphrase-file <file>', 'holds its passphrase (or HOLDFAST_KEY_PASSPHRASE; else asked)');
}

async function hasSignedBefore(staged: StagedRole, keyPath: string): Promise<boolean> {
  const key = await readPublicKeyIfOpen(keyPath);
  return key !== null && isSignedBefore(staged, key);
}

async function send({ api, out }: CommandContext, { repository, role, signature }: Carried): Promise<void> {
  const path = `/trust/${repository}/${encodeURIComponent(role)}/signatures`;
  const outcome = await api.post(path, { body: signature, answer: trustOutcomeSchema });
  out.answer(outcome, () => outcomeLines(repository, outcome));
}

async function readCarried<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new HoldfastError('bad-request', `${path} is not what \`holdfast trust\` writes`, {
      hint: 'give the file that `trust export` or `trust sign-file` wrote',
      cause,
    });
  }
}
