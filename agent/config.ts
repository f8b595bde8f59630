// What a person sets: flags, and the same by environment. Everything is checked here, once, and bounded.

import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { profileNameSchema } from '#protocol/identifiers.ts';

const configSchema = z.strictObject({
  /** Only a device that has not enrolled yet needs these two. */
  server: z.url({ protocol: /^https?$/ }).max(500).optional(),
  claim: z.string().min(1).max(500).optional(),
  /** May be left out once the device has enrolled. */
  profile: profileNameSchema.optional(),
  dataDir: z.string().min(1).max(4_096),
  httpPort: z.int().min(0).max(65_535),
  telemetryWindowMs: z.int().min(100).max(3_600_000),
  pollMs: z.int().min(1_000).max(86_400_000),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']),
}); // prettier-ignore
export type AgentConfig = z.infer<typeof configSchema>;

const HELP = `
The first start needs --server, --claim and --profile; later ones only --data-dir.
The local API, the engineer's page and inference (Open Inference Protocol v2) are on 127.0.0.1 only.

Ready is said in one line on stdout, with the real address; the log is JSON lines on stderr.
Exit codes: 0 stopped as asked, 1 failed, 2 a setting or the claim is wrong, 3 the data folder is in use,
4 the port is in use.`;

/** Reads flags and environment; `--help` and `--version` throw commander's own errors. Throws `bad-config`. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv, version: string): AgentConfig {
  const command = new Command('holdfast-agent')
    .description(
      'Keeps this device on the right AI model, serves inference, and holds the last good version.',
    )
    .version(version)
    .exitOverride()
    .allowExcessArguments(false)
    .addHelpText('after', HELP);
  const add = (flags: string, variable: string, what: string, fallback?: string | number): void => {
    const option = new Option(flags, `${what} (env: ${variable})`);
    const text = env[variable];
    const isNumber = typeof fallback === 'number';
    if (isNumber) option.argParser(integer);
    // Commander reads only the process's own environment; this one is given.
    const fromEnv = text === undefined || text === '' ? undefined : isNumber ? integer(text, variable) : text;
    const value = fromEnv ?? fallback;
    command.addOption(value === undefined || variable === CLAIM ? option : option.default(value));
  };
  add('--server <url>', 'HOLDFAST_SERVER', 'control plane to enrol at');
  add('--claim <token>', CLAIM, 'one-time claim to enrol with');
  add('--profile <name>', 'HOLDFAST_PROFILE', 'device class, e.g. x86-cpu');
  add('--data-dir <folder>', 'HOLDFAST_DATA_DIR', 'everything that is kept', './.holdfast-agent');
  add('--http-port <port>', 'HOLDFAST_AGENT_HTTP_PORT', 'local API and page; 0 takes a free port', 8_090);
  add('--telemetry-window-ms <ms>', 'HOLDFAST_TELEMETRY_WINDOW_MS', 'length of a telemetry window', 5_000);
  add('--poll-ms <ms>', 'HOLDFAST_POLL_MS', 'time between looks for an order without a hint', 60_000);
  add('--log-level <level>', 'HOLDFAST_AGENT_LOG_LEVEL', 'debug, info, warn or error', 'info');
  command.parse(argv, { from: 'user' });
  const claim = env[CLAIM] === undefined || env[CLAIM] === '' ? {} : { claim: env[CLAIM] };
  const parsed = configSchema.safeParse({ ...claim, ...command.opts<Record<string, unknown>>() });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badConfig(`${flagOf(String(issue?.path[0]))}: ${issue?.message ?? 'is wrong'}`);
}

/** Never a default, so that `--help` does not print it. */
const CLAIM = 'HOLDFAST_CLAIM';

function integer(text: string, variable?: unknown): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const what = 'it must be a whole number';
  if (typeof variable !== 'string') throw new InvalidArgumentError(what);
  throw badConfig(`${variable} is ${JSON.stringify(text)}: ${what}`);
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function badConfig(what: string): HoldfastError {
  return new HoldfastError('bad-config', what, { hint: 'holdfast-agent --help lists every setting' });
}
