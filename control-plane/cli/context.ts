// What every command needs: where the control plane is, the token, and where answers go.

import type { Command } from 'commander';
import { HoldfastError } from '#protocol/errors.ts';
import { ApiClient } from './api-client.ts';
import { Output, type Writers } from './output.ts';

export interface LocalContext {
  readonly out: Output;
  readonly signal: AbortSignal;
  readonly setExitCode: (code: number) => void;
}

export interface CommandContext extends LocalContext {
  readonly api: ApiClient;
}

export interface Surroundings extends Writers {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly setExitCode: (code: number) => void;
}

const DEFAULT_SERVER = 'http://127.0.0.1:8080';

export function withOutputOption(command: Command): Command {
  return command.option('-o, --output <format>', 'table or json', 'table');
}

/** Adds the options of every command that speaks to a control plane. */
export function withSharedOptions(command: Command): Command {
  return withOutputOption(
    command.option('--server <url>', `control plane (or HOLDFAST_SERVER; else ${DEFAULT_SERVER})`),
  );
}

/** Throws `bad-config` for an unknown output format. */
export function localContextOf(command: Command, surroundings: Surroundings): LocalContext {
  const { output } = command.optsWithGlobals<{ output: string }>();
  if (output !== 'table' && output !== 'json') {
    throw new HoldfastError('bad-config', `unknown output format ${output}`, { hint: 'use table or json' });
  }
  const { signal, setExitCode } = surroundings;
  return { out: new Output(output, surroundings), signal, setExitCode };
}

export function contextOf(command: Command, surroundings: Surroundings): CommandContext {
  const options = command.optsWithGlobals<{ server?: string }>();
  const { env } = surroundings;
  const local = localContextOf(command, surroundings);
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
  return { ...local, api: new ApiClient({ server, token, signal: local.signal }) };
}
