#!/usr/bin/env node
// The control plane's process: settings, signals, exit codes. Everything else is start-control-plane.ts.

import { CommanderError } from 'commander';
import { describeError, errorCodeOf, type ErrorCode } from '#protocol/errors.ts';
import { readConfig, type Config } from './config.ts';
import { createLogger } from './logger.ts';
import { packageVersion } from './package-version.ts';
import { startControlPlane } from './start-control-plane.ts';

const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  'bad-config': 2,
  'data-dir-locked': 3,
  'port-busy': 4,
};
/** What has not stopped by then is cut off; everything that must last is on disk already. */
const STOP_DEADLINE_MS = 10_000;

async function run(config: Config, version: string): Promise<void> {
  const log = createLogger({ level: config.logLevel, write: (line) => void process.stderr.write(line) });
  const stopAsked = new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  const plane = await startControlPlane({ config, log, packageVersion: version });
  const { httpUrl, mqttUrl, gatewayUrl, adminToken } = plane;
  if (adminToken.made) process.stdout.write(`admin token: ${adminToken.path}\n`);
  process.stdout.write(`holdfast ready: ${httpUrl} ${withoutPassword(mqttUrl)} gateway ${gatewayUrl}\n`);
  const signal = await stopAsked;
  log.info('stopping', { signal });
  setTimeout(() => {
    log.warn('cut off what did not stop in time');
    process.exit(0);
  }, STOP_DEADLINE_MS).unref();
  // A second signal means now.
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
  await plane[Symbol.asyncDispose]();
  log.info('stopped');
}

function withoutPassword(url: string): string {
  const shown = new URL(url);
  return `${shown.protocol}//${shown.host}`;
}

try {
  const version = await packageVersion();
  const config = readConfig(process.argv.slice(2), process.env, version);
  // Child processes have no use for it.
  delete process.env['HOLDFAST_TRUST_PASSPHRASE'];
  await run(config, version);
  process.exit(0);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  process.stderr.write(`holdfast-control-plane: ${describeError(error)}\n`);
  process.exit(EXIT_CODES[errorCodeOf(error)] ?? 1);
}
