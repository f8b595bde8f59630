import { rolloutSchema } from '#protocol/rollout.ts';
import { verb, type AddCommand } from '../../command.ts';
import { collect, collectLabel, parseCount, parseDuration, parseWaves } from '../../parse.ts';
import { rolloutLines } from '../../rollout-lines.ts';
import { watchRollout } from '../../watch-rollout.ts';

interface Options {
  readonly model: string;
  readonly version: number;
  readonly device?: string[];
  readonly profile?: string[];
  readonly label?: Record<string, string>;
  readonly waves?: string;
  readonly soak: number;
  readonly onFailure?: 'rollback' | 'pause';
  readonly maxFailed?: number;
  readonly direct?: boolean;
  readonly minPairs?: number;
  readonly shadowDeadline?: number;
  readonly probation?: number;
  readonly approval?: boolean;
  readonly draft?: boolean;
  readonly watch?: boolean;
}

export const addRolloutCreate: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'create',
    'sends a signed version to devices, wave by wave',
    (command) =>
      command
        .requiredOption('--model <name>', 'which model')
        .requiredOption('--version <n>', 'which version', parseCount)
        .option('--device <ids>', 'only these devices', collect)
        .option('--profile <names>', 'only these profiles', collect)
        .option('--label <key=value>', 'only devices with this label, may be repeated', collectLabel)
        .option('--waves <sizes>', 'like 1,10%,100% or 1:5m,10%:1h,100%:0s (default 1,10%,100%)')
        .option('--soak <duration>', 'time every wave must stay healthy', parseDuration, 300_000)
        .option('--on-failure <what>', 'rollback or pause')
        .option('--max-failed <n>', 'devices of a wave that may fail', Number)
        .option('--direct', 'no shadow: from golden vectors to serving')
        .option('--min-pairs <n>', 'shadow pairs before a pass', parseCount)
        .option('--shadow-deadline <duration>', 'no verdict by then: stay on the old version', parseDuration)
        .option('--probation <duration>', 'watch in service before healthy', parseDuration)
        .option('--approval', 'wait for `rollout start`')
        .option('--draft', 'plan only')
        .option('-w, --watch', 'follow it to its end'),
    async (context, options) => {
      const body = {
        model: options.model,
        version: options.version,
        selector: { devices: options.device, profiles: options.profile, labels: options.label },
        waves: options.waves === undefined ? undefined : parseWaves(options.waves, options.soak),
        gates: { onFailure: options.onFailure, maxFailedPerWave: options.maxFailed },
        policy: {
          mode: options.direct === true ? 'direct' : undefined,
          minPairs: options.minPairs,
          shadowDeadlineMs: options.shadowDeadline,
          probationMs: options.probation,
        },
        approval: options.approval,
        draft: options.draft,
      };
      const rollout = await context.api.post('/rollouts', { body, answer: rolloutSchema });
      if (options.watch === true) return await watchRollout(context, rollout.id);
      context.out.answer(rollout, () => rolloutLines(rollout, Date.now()));
    },
  );
