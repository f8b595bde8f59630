import { HoldfastError } from '#protocol/errors.ts';
import { trustOutcomeSchema, type TrustChange, type TrustKey, type TrustOutcome } from '#protocol/trust.ts';
import { readPublicKey } from '../../../trust/offline/key-input.ts';
import { verb, type AddCommand } from '../../command.ts';
import { collect, parseCount } from '../../parse.ts';
import { outcomeLines } from '../../trust-lines.ts';

interface Options {
  readonly root: readonly string[];
  readonly rootThreshold: number;
  readonly targets: readonly string[];
  readonly targetsThreshold: number;
}

export const addTrustInit: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'init',
    "takes root and targets out of the control plane: from now on people's keys sign them",
    (command) =>
      command
        .requiredOption('--root <file>', 'a key of root, of both repositories; may be repeated', collect)
        .option('--root-threshold <n>', 'how many of them must sign', parseCount, 2)
        .requiredOption('--targets <file>', 'a key of the Image targets; may be repeated', collect)
        .option('--targets-threshold <n>', 'how many of them must sign', parseCount, 2),
    async ({ api, out }, { root, rootThreshold, targets, targetsThreshold }) => {
      const rootKeys = { keys: await keysOf(root, rootThreshold, 'root'), threshold: rootThreshold };
      const targetKeys = {
        keys: await keysOf(targets, targetsThreshold, 'targets'),
        threshold: targetsThreshold,
      };
      const changes: readonly [string, TrustChange][] = [
        ['image', { kind: 'take-over', root: rootKeys, targets: targetKeys }],
        ['director', { kind: 'take-over', root: rootKeys }],
      ];
      const outcomes: (TrustOutcome & { repository: string })[] = [];
      for (const [repository, body] of changes) {
        const outcome = await api.post(`/trust/${repository}/changes`, { body, answer: trustOutcomeSchema });
        outcomes.push({ repository, ...outcome });
      }
      out.answer(outcomes, () => outcomes.flatMap((outcome) => outcomeLines(outcome.repository, outcome)));
    },
  );

async function keysOf(paths: readonly string[], threshold: number, role: string): Promise<TrustKey[]> {
  if (paths.length < threshold) {
    throw new HoldfastError(
      'bad-request',
      `${role} has ${paths.length} keys and a threshold of ${threshold}`,
      {
        hint: `repeat --${role} once a key, or lower --${role}-threshold`,
      },
    );
  }
  return await Promise.all(paths.map((path) => readPublicKey(path)));
}
