// The verbs that ask for one change of who may sign what. What offline keys must sign is staged by it.

import type { Command } from 'commander';
import { HoldfastError } from '#protocol/errors.ts';
import { trustChangeSchema, trustOutcomeSchema, type TrustChange } from '#protocol/trust.ts';
import { readPublicKey } from '../../../trust/offline/key-input.ts';
import { verb, type AddCommand } from '../../command.ts';
import type { CommandContext, Surroundings } from '../../context.ts';
import { collect, parseCount } from '../../parse.ts';
import { outcomeLines } from '../../trust-lines.ts';
import { repositoryOption } from './repository-option.ts';

interface Options {
  readonly repository: string;
  readonly owner: string;
  readonly models: readonly string[];
  readonly key: readonly string[];
  readonly threshold: number;
  readonly authorSignature: string;
}

type Arguments = readonly string[];

interface ChangeVerb {
  readonly usage: string;
  readonly summary: string;
  /** Of the Image repository alone; else of either. */
  readonly isImageOnly?: boolean;
  readonly configure?: (command: Command) => Command;
  readonly change: (args: Arguments, options: Options) => Promise<unknown> | object;
}

const VERBS: readonly ChangeVerb[] = [
  {
    usage: 'add-key <role> <file>',
    summary: 'lets one more key sign a role: root, targets or team-<name>',
    configure: (command) => command.option('--owner <name>', 'whose key it is', ''),
    change: async ([role, file = ''], { owner }) => ({
      kind: 'add-key',
      role,
      key: await readPublicKey(file, owner),
    }),
  },
  {
    usage: 'remove-key <role> <key-id>',
    summary: 'revokes a key of a role; devices follow at their next refresh',
    change: ([role, keyId]) => ({ kind: 'remove-key', role, keyId }),
  },
  {
    usage: 'threshold <role> <n>',
    summary: 'how many keys must sign a role',
    change: ([role, threshold = '']) => ({ kind: 'threshold', role, threshold: parseCount(threshold) }),
  },
  {
    usage: 'rotate <role>',
    summary:
      'a new key for a role that the control plane signs: snapshot, timestamp, pipeline, measurements, targets of the Director',
    change: ([role]) => ({ kind: 'rotate', role }),
  },
  {
    usage: 'renew <role>',
    summary: 'the same once more with a later expiry',
    change: ([role]) => ({ kind: 'renew', role }),
  },
  {
    usage: 'team <name>',
    summary: 'a team and the models that its keys, and no others, may sign',
    isImageOnly: true,
    configure: (command) =>
      command
        .requiredOption('--models <pattern>', 'a model, or a beginning and *; may be repeated', collect)
        .requiredOption('--key <file>', 'a key of the team; may be repeated', collect)
        .option('--threshold <n>', 'how many of them must sign', parseCount, 1)
        .option(
          '--author-signature <where>',
          'where the OpenSSF signature of its authors is asked for: none, import or device',
          'none',
        ),
    change: async ([team], { models, key, threshold, authorSignature }) => ({
      kind: 'team',
      team,
      models,
      keys: await Promise.all(key.map((file) => readPublicKey(file))),
      threshold,
      authorSignature,
    }),
  },
  {
    usage: 'remove-team <name>',
    summary: 'a team that has signed nothing',
    isImageOnly: true,
    change: ([team]) => ({ kind: 'remove-team', team }),
  },
  {
    usage: 'pipeline <on|off>',
    summary: 'whether the control plane may sign variants of what authors signed; off is the strict policy',
    isImageOnly: true,
    change: ([state]) => ({ kind: 'pipeline', enabled: isOn(state) }),
  },
  {
    usage: 'floor <model> <counter>',
    summary: 'the lowest release counter of a model that devices accept; it only rises',
    isImageOnly: true,
    change: ([model, counter = '']) => ({ kind: 'floor', model, releaseCounter: parseCount(counter) }),
  },
];

export const addTrustChanges: AddCommand = (noun, surroundings) => {
  for (const each of VERBS) addChange(noun, surroundings, each);
};

function addChange(noun: Command, surroundings: Surroundings, each: ChangeVerb): void {
  const { usage, summary, isImageOnly = false, configure = (command: Command) => command } = each;
  verb<Options>(
    noun,
    surroundings,
    usage,
    summary,
    (command) => (isImageOnly ? configure(command) : repositoryOption(configure(command))),
    async (context, options, ...args) => {
      const change = trustChangeSchema.safeParse(await each.change(args, options));
      if (!change.success) {
        const [issue] = change.error.issues;
        throw new HoldfastError('bad-request', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, {
          hint: `holdfast trust ${usage.split(' ', 1)[0] ?? ''} --help`,
        });
      }
      await post(context, isImageOnly ? 'image' : options.repository, change.data);
    },
  );
}

async function post({ api, out }: CommandContext, repository: string, body: TrustChange): Promise<void> {
  const path = `/trust/${encodeURIComponent(repository)}/changes`;
  const outcome = await api.post(path, { body, answer: trustOutcomeSchema });
  out.answer(outcome, () => outcomeLines(repository, outcome));
}

function isOn(text: string | undefined): boolean {
  if (text === 'on' || text === 'off') return text === 'on';
  throw new HoldfastError('bad-request', `"${text ?? ''}" is neither on nor off`);
}
