#!/usr/bin/env node
// The agent's process: settings, signals, exit codes. Everything else is app.ts.

import { CommanderError } from 'commander';
import { describeError, errorCodeOf, type ErrorCode } from '#protocol/errors.ts';
import { jsonLogger } from './adapters/logger.ts';
import { systemClock } from './adapters/system-clock.ts';
import { readConfig, type AgentConfig } from './config.ts';
import { packageVersion } from './package-version.ts';
import { startAgent } from './app.ts';

const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  'bad-config': 2,
  'profile-unknown': 2,
  'claim-invalid': 2,
  'claim-spent': 2,
  'claim-expired': 2,
  'ca-mismatch': 2,
  'device-revoked': 2,
  conflict: 2,
  'data-dir-locked': 3,
  'port-busy': 4,
};
/** What has not stopped by then is cut off; everything that must last is on disk already. */
const STOP_DEADLINE_MS = 20_000;

async function run(config: AgentConfig, agentVersion: string): Promise<void> {
  const logger = jsonLogger(process.stderr, systemClock, config.logLevel);
  process.on('unhandledRejection', (error) =>
    logger.error('a promise was rejected and nobody cared', { error }),
  );
  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(1)); // a second one means now
      stop.abort(new Error(`stopped by ${signal}`));
    });
  }
  try {
    const agent = await startAgent({ config, agentVersion, logger, signal: stop.signal });
    process.stdout.write(`holdfast-agent ready: device ${agent.deviceId} ${agent.url}\n`);
    await stopped;
    logger.info('stopping', { why: String(stop.signal.reason) });
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
    await agent[Symbol.asyncDispose]();
    logger.info('stopped');
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    logger.info('stopped while starting', { error });
  }
}

try {
  const version = await packageVersion();
  await run(readConfig(process.argv.slice(2), process.env, version), version);
  process.exit(0);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  process.stderr.write(`holdfast-agent: ${describeError(error)}\n`);
  process.exit(EXIT_CODES[errorCodeOf(error)] ?? 1);
}
