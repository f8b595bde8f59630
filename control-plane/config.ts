// What a person sets: flags, and the same by environment. Everything is checked here, once.

import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { fleetNameSchema } from '#protocol/identifiers.ts';
import { LOG_LEVELS } from './logger.ts';

const GIB = 1024 ** 3;
const port = z.int().min(0).max(65_535);
const hostName = z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/, 'must be a host name or an address');

const configSchema = z.strictObject({
  httpPort: port,
  httpHost: hostName,
  mqttPort: port,
  gatewayPort: port,
  deviceHost: hostName,
  publicHost: hostName,
  dataDir: z.string().min(1).max(4_096),
  fleet: fleetNameSchema,
  logLevel: z.enum([...LOG_LEVELS, 'silent']),
  maxUploadBytes: z.int().min(1).max(64 * GIB),
  maxModelBytes: z.int().min(1).max(2 * GIB - 1),
  /** PostgreSQL in place of SQLite. */
  databaseUrl: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  /** An outside broker in place of the embedded one. */
  mqttUrl: z.url({ protocol: /^mqtts?$/ }).optional(),
}); // prettier-ignore
export type Config = z.infer<typeof configSchema>;

/** Reads flags and environment; `--help` and `--version` throw commander's own errors. Throws `bad-config`. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv, version: string): Config {
  // Commander looks only into the environment of the process for `Option.env`, so defaults come from `env` here.
  const command = configCommand(version, env);
  command.parse(argv, { from: 'user' });
  const options = command.opts<Record<string, unknown>>();
  const publicHost = String(options['publicHost']);
  const parsed = configSchema.safeParse({
    ...options,
    deviceHost: options['deviceHost'] ?? (isLoopback(publicHost) ? '127.0.0.1' : '0.0.0.0'),
    ...(env['DATABASE_URL'] ? { databaseUrl: env['DATABASE_URL'] } : {}),
    ...(env['MQTT_URL'] ? { mqttUrl: env['MQTT_URL'] } : {}),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new HoldfastError(
    'bad-config',
    `${issue?.path.join('.') ?? 'a setting'}: ${issue?.message ?? 'is wrong'}`,
    {
      hint: 'holdfast-control-plane --help lists every setting',
    },
  );
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function configCommand(version: string, env: NodeJS.ProcessEnv): Command {
  const command = new Command('holdfast-control-plane')
    .description('Runs the Holdfast control plane: console, API, device gateway and MQTT broker.')
    .version(version)
    .exitOverride()
    .allowExcessArguments(false);
  const add = (
    flags: string,
    variable: string,
    what: string,
    fallback?: unknown,
    parse?: (text: string) => unknown,
  ) => {
    const option = new Option(flags, `${what} (env: ${variable})`);
    if (parse !== undefined) option.argParser(parse);
    const text = env[variable];
    const fromEnv = text === undefined || text === '' ? undefined : parseVariable(variable, text, parse);
    const value = fromEnv ?? fallback;
    command.addOption(value === undefined ? option : option.default(value, String(value)));
  };
  add('--http-port <port>', 'HOLDFAST_HTTP_PORT', 'console and API; 0 takes a free port', 8_080, integer);
  add('--http-host <address>', 'HOLDFAST_HTTP_HOST', 'address that console and API listen on', '127.0.0.1');
  add('--mqtt-port <port>', 'HOLDFAST_MQTT_PORT', 'MQTT of the devices; 0 takes a free port', 8_883, integer);
  add(
    '--gateway-port <port>',
    'HOLDFAST_GATEWAY_PORT',
    'HTTPS of the devices; 0 takes a free port',
    8_443,
    integer,
  );
  add(
    '--device-host <address>',
    'HOLDFAST_DEVICE_HOST',
    'address that MQTT and gateway listen on; loopback unless the public host is not',
  );
  add(
    '--public-host <name>',
    'HOLDFAST_PUBLIC_HOST',
    'name in certificates, and in addresses given to devices',
    '127.0.0.1',
  );
  add('--data-dir <folder>', 'HOLDFAST_DATA_DIR', 'everything that is kept', './.holdfast');
  add('--fleet <name>', 'HOLDFAST_FLEET', 'name of the fleet, part of every topic', 'default');
  add('--log-level <level>', 'HOLDFAST_LOG_LEVEL', `${LOG_LEVELS.join(', ')} or silent`, 'info');
  add('--max-upload-bytes <n>', 'HOLDFAST_MAX_UPLOAD_BYTES', 'largest upload', 8 * GIB, integer);
  add(
    '--max-model-bytes <n>',
    'HOLDFAST_MAX_MODEL_BYTES',
    'largest ONNX file, parsed in memory',
    256 * 1024 ** 2,
    integer,
  );
  command.addHelpText('after', `
By environment only, since they may hold passwords:
  DATABASE_URL  postgres://... in place of SQLite in the data folder
  MQTT_URL      mqtts://... of an outside broker in place of the embedded one

Ready is said in one line on stdout, with the real addresses; the log is JSON lines on stderr.
Exit codes: 0 stopped as asked, 1 failed, 2 a setting is wrong, 3 the data folder is in use,
4 a port is in use.`); // prettier-ignore
  return command;
}

function parseVariable(variable: string, text: string, parse?: (text: string) => unknown): unknown {
  try {
    return parse === undefined ? text : parse(text);
  } catch (cause) {
    throw new HoldfastError('bad-config', `${variable} is "${text}": ${(cause as Error).message}`, {
      hint: 'holdfast-control-plane --help lists every setting',
      cause,
    });
  }
}

function integer(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('it must be a whole number');
}
