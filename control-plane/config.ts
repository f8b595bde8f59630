// What a person sets: flags, and the same by environment. Everything is checked here, once.

import { isIP } from 'node:net';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { fleetNameSchema } from '#protocol/identifiers.ts';
import { parseFetchHosts } from './artifacts/address-hosts.ts';
import { DEFAULT_BUDGETS } from './http/rate-budgets.ts';
import { LOG_LEVELS } from './logger.ts';

const GIB = 1024 ** 3;
const port = z.int().min(0).max(65_535);
const hostName = z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/, 'must be a host name or an address');
const rate = z.int().min(1).max(1_000_000);

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
  /** Where blobs may be fetched from. */
  fetchHosts: z.string().max(10_000).transform(parseFetchHosts),
  /** Proxies whose X-Forwarded-* is believed. */
  trustedProxies: z.string().max(10_000).transform(addressList).pipe(z.array(z.string().refine(isAddressOrNetwork, 'must be addresses or networks like 10.0.0.0/8, or loopback')).max(100)),
  rateReads: rate,
  rateWrites: rate,
  rateUploads: rate,
  rateLogins: rate,
  oidcIssuer: z.url({ protocol: /^https?$/ }).optional(),
  oidcClientId: z.string().min(1).max(500).optional(),
  oidcClientSecretFile: z.string().min(1).max(4_096).optional(),
  oidcScopes: z.string().regex(/(?:^| )openid(?: |$)/, 'must hold openid').max(1_000),
  oidcGroupsClaim: z.string().min(1).max(200),
  oidcGrantsFile: z.string().min(1).max(4_096).optional(),
  /** Seals the private keys that the control plane holds; by file or by environment. */
  trustPassphraseFile: z.string().min(1).max(4_096).optional(),
  trustPassphrase: z.string().min(1).max(1_000).optional(),
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
    ...(env['HOLDFAST_TRUST_PASSPHRASE'] ? { trustPassphrase: env['HOLDFAST_TRUST_PASSPHRASE'] } : {}),
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

function addressList(text: string): string[] {
  return text.split(',').map((part) => part.trim()).filter((part) => part !== ''); // prettier-ignore
}

function isAddressOrNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  if (text === 'loopback') return true;
  const most = isIP(address) === 4 ? 32 : 128;
  return (
    isIP(address) !== 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
  );
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

interface Setting {
  readonly flags: string;
  readonly variable: string;
  readonly what: string;
  /** A number makes the setting a whole number. */
  readonly fallback?: string | number;
}

const SETTINGS: readonly Setting[] = [
  { flags: '--http-port <port>', variable: 'HOLDFAST_HTTP_PORT', fallback: 8_080, what: 'console and API; 0 takes a free port' },
  { flags: '--http-host <address>', variable: 'HOLDFAST_HTTP_HOST', fallback: '127.0.0.1', what: 'address that console and API listen on' },
  { flags: '--mqtt-port <port>', variable: 'HOLDFAST_MQTT_PORT', fallback: 8_883, what: 'MQTT of the devices; 0 takes a free port' },
  { flags: '--gateway-port <port>', variable: 'HOLDFAST_GATEWAY_PORT', fallback: 8_443, what: 'HTTPS of the devices; 0 takes a free port' },
  { flags: '--device-host <address>', variable: 'HOLDFAST_DEVICE_HOST', what: 'address that MQTT and gateway listen on; loopback unless the public host is not' },
  { flags: '--public-host <name>', variable: 'HOLDFAST_PUBLIC_HOST', fallback: '127.0.0.1', what: 'name in certificates, and in addresses given to devices' },
  { flags: '--data-dir <folder>', variable: 'HOLDFAST_DATA_DIR', fallback: './.holdfast', what: 'everything that is kept' },
  { flags: '--fleet <name>', variable: 'HOLDFAST_FLEET', fallback: 'default', what: 'name of the fleet, part of every topic' },
  { flags: '--trust-passphrase-file <file>', variable: 'HOLDFAST_TRUST_PASSPHRASE_FILE', what: 'file with the passphrase that seals the private keys in the data folder' },
  { flags: '--log-level <level>', variable: 'HOLDFAST_LOG_LEVEL', fallback: 'info', what: `${LOG_LEVELS.join(', ')} or silent` },
  { flags: '--max-upload-bytes <n>', variable: 'HOLDFAST_MAX_UPLOAD_BYTES', fallback: 8 * GIB, what: 'largest upload' },
  { flags: '--max-model-bytes <n>', variable: 'HOLDFAST_MAX_MODEL_BYTES', fallback: 256 * 1024 ** 2, what: 'largest ONNX file, parsed in memory' },
  { flags: '--fetch-hosts <list>', variable: 'HOLDFAST_FETCH_HOSTS', fallback: '', what: 'hosts that blobs may be fetched from: [http://]host[:port][+private], comma separated' },
  { flags: '--trusted-proxies <list>', variable: 'HOLDFAST_TRUSTED_PROXIES', fallback: '', what: 'addresses or networks of proxies whose X-Forwarded-* is believed, comma separated' },
  { flags: '--rate-reads <n>', variable: 'HOLDFAST_RATE_READS', fallback: DEFAULT_BUDGETS.reads, what: 'requests a minute of one token or person: reading' },
  { flags: '--rate-writes <n>', variable: 'HOLDFAST_RATE_WRITES', fallback: DEFAULT_BUDGETS.writes, what: 'the same: changing' },
  { flags: '--rate-uploads <n>', variable: 'HOLDFAST_RATE_UPLOADS', fallback: DEFAULT_BUDGETS.uploads, what: 'the same: uploading' },
  { flags: '--rate-logins <n>', variable: 'HOLDFAST_RATE_LOGINS', fallback: DEFAULT_BUDGETS.logins, what: 'requests a minute of one address: signing in' },
  { flags: '--oidc-issuer <url>', variable: 'HOLDFAST_OIDC_ISSUER', what: 'OpenID provider at which people sign in' },
  { flags: '--oidc-client-id <id>', variable: 'HOLDFAST_OIDC_CLIENT_ID', what: 'what the provider calls this control plane' },
  { flags: '--oidc-client-secret-file <file>', variable: 'HOLDFAST_OIDC_CLIENT_SECRET_FILE', what: 'file with the secret that the provider gave it, if any' },
  { flags: '--oidc-scopes <scopes>', variable: 'HOLDFAST_OIDC_SCOPES', fallback: 'openid email', what: 'what the provider is asked for' },
  { flags: '--oidc-groups-claim <name>', variable: 'HOLDFAST_OIDC_GROUPS_CLAIM', fallback: 'groups', what: 'claim that lists the groups of a person' },
  { flags: '--oidc-grants-file <file>', variable: 'HOLDFAST_OIDC_GRANTS_FILE', what: 'JSON that says which groups and people get which roles' },
]; // prettier-ignore

function configCommand(version: string, env: NodeJS.ProcessEnv): Command {
  const command = new Command('holdfast-control-plane')
    .description('Runs the Holdfast control plane: console, API, device gateway and MQTT broker.')
    .version(version)
    .exitOverride()
    .allowExcessArguments(false);
  for (const setting of SETTINGS) {
    const option = new Option(setting.flags, `${setting.what} (env: ${setting.variable})`);
    if (typeof setting.fallback === 'number') option.argParser(integer);
    const value = fromEnvironment(setting, env) ?? setting.fallback;
    command.addOption(value === undefined ? option : option.default(value, String(value)));
  }
  command.addHelpText('after', `
By environment only, since they may hold passwords:
  DATABASE_URL  postgres://... in place of SQLite in the data folder
  MQTT_URL      mqtts://... of an outside broker in place of the embedded one
  HOLDFAST_TRUST_PASSPHRASE  in place of --trust-passphrase-file

Ready is said in one line on stdout, with the real addresses; the log is JSON lines on stderr.
Exit codes: 0 stopped as asked, 1 failed, 2 a setting is wrong, 3 the data folder is in use,
4 a port is in use.`); // prettier-ignore
  return command;
}

function fromEnvironment(
  { variable, fallback }: Setting,
  env: NodeJS.ProcessEnv,
): string | number | undefined {
  const text = env[variable];
  if (text === undefined || text === '') return undefined;
  try {
    return typeof fallback === 'number' ? integer(text) : text;
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
