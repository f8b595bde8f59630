// Writes docs/cli.md from the command line's own help, so that the two cannot differ.
// Usage: node test/build/write-cli-reference.ts

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { holdfastProgram } from '#control-plane/cli/program.ts';
import { ROOT } from './tree.ts';

const HEAD = `# The holdfast command line

Made by \`node test/build/write-cli-reference.ts\` from the commands' own help.
`;

/** The same on every terminal. */
const WIDTH = { helpWidth: 110 };

/** The whole reference as Markdown. */
export function cliReference(): string {
  const program = holdfastProgram({
    env: {},
    write: () => undefined,
    writeAside: () => undefined,
    signal: new AbortController().signal,
    setExitCode: () => undefined,
  });
  let notes = '';
  program.configureHelp(WIDTH).configureOutput({ writeOut: (text) => (notes += text) });
  program.outputHelp();
  const verbs = program.commands.flatMap((noun) => noun.commands.map((verb) => section(noun, verb)));
  return [HEAD, fenced(notes), ...verbs].join('\n');
}

function section(noun: Command, verb: Command): string {
  return `## holdfast ${noun.name()} ${verb.name()}\n\n${fenced(verb.configureHelp(WIDTH).helpInformation())}`;
}

function fenced(text: string): string {
  return `\`\`\`text\n${text.trim()}\n\`\`\`\n`;
}

if (import.meta.main) writeFileSync(join(ROOT, 'docs', 'cli.md'), cliReference());
