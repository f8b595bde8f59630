// Which of the two repositories a trust command is about.

import { Option, type Command } from 'commander';
import { REPOSITORIES } from '#protocol/trust.ts';

export function repositoryOption(command: Command): Command {
  return command.addOption(
    new Option('--repository <name>', 'which repository').choices([...REPOSITORIES]).default('image'),
  );
}
