// How a command file plugs in: it adds itself to its noun and is run with a context.

import type { Command } from 'commander';
import {
  contextOf,
  localContextOf,
  withOutputOption,
  withSharedOptions,
  type CommandContext,
  type LocalContext,
  type Surroundings,
} from './context.ts';

export type AddCommand = (noun: Command, surroundings: Surroundings) => void;

/** Declares a verb; its positional arguments come before its options in `run`. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function verb<Options extends object>(
  noun: Command,
  surroundings: Surroundings,
  usage: string,
  summary: string,
  configure: (command: Command) => Command,
  run: (context: CommandContext, options: Options, ...args: string[]) => Promise<void>,
): void {
  const command = withSharedOptions(configure(noun.command(usage).description(summary)));
  command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2) as string[];
    await run(contextOf(command, surroundings), command.opts<Options>(), ...args);
  });
}

/** Declares a verb that works on this machine alone: it needs neither a control plane nor a token. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function localVerb<Options extends object>(
  noun: Command,
  surroundings: Surroundings,
  usage: string,
  summary: string,
  configure: (command: Command) => Command,
  run: (context: LocalContext, options: Options, ...args: string[]) => Promise<void>,
): void {
  const command = withOutputOption(configure(noun.command(usage).description(summary)));
  command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2) as string[];
    await run(localContextOf(command, surroundings), command.opts<Options>(), ...args);
  });
}
