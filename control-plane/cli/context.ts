// What every command needs: where the control plane is, the token, and where answers go.

import type { Command } from 'commander';
import { HoldfastError } from '#protocol/errors.ts';
import { ApiClient } from './api-client.ts';
import { Output, type Writers } from './output.ts';

export interface CommandContext {
  readonly api: ApiClient;
  readonly out: Output;
  readonly signal: AbortSignal;
  readonly setExitCode: (code: number) => void;
}

export interface Surroundings extends Writers {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly setExitCode: (code: number) => void;
}

const DEFAULT_SERVER = 'http://127.0.0.1:8080';

/** Adds the options that every command shares. */
export function withSharedOptions(command: Command): Command {
  return command
    .option('--server <url>', `control plane (or HOLDFAST_SERVER; else ${DEFAULT_SERVER})`)
    .option('-o, --output <format>', 'table or json', 'table');
}

export function contextOf(command: Command, surroundings: Surroundings): CommandContext {
  const options = command.optsWithGlobals<{ server?: string; output: string }>();
  const { env, signal, setExitCode } = surroundings;
  const server = options.server ?? env['HOLDFAST_SERVER'] ?? DEFAULT_SERVER;
  const token = env['HOLDFAST_TOKEN'];
  if (!URL.canParse(server)) {
    throw new HoldfastError('bad-config', `${server} is not an address`, {
      hint: 'give one like http://127.0.0.1:8080',
    });
  }
  if (token === undefined || token === '') {
    throw new HoldfastError('unauthorized', 'HOLDFAST_TOKEN is not set', {
      hint: "put an API token into it; the first lies in the control plane's data folder, admin-token",
    });
  }
  if (options.output !== 'table' && options.output !== 'json') {
    throw new HoldfastError('bad-config', `unknown output format ${options.output}`, {
      hint: 'use table or json',
    });
  }
  return {
    api: new ApiClient({ server, token, signal }),
    out: new Output(options.output, surroundings),
    signal,
    setExitCode,
  };
}
