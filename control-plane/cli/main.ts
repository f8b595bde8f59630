#!/usr/bin/env node
// Entry of the `holdfast` command line.

import { enableCompileCache } from 'node:module';
import { CommanderError } from 'commander';
import { describeError } from '#protocol/errors.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';

// Most of a command's start is compiling its modules: those loaded from here on are compiled once.
enableCompileCache();
const { holdfastProgram } = await import('./program.ts');

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

try {
  await holdfastProgram({
    env: process.env,
    write: (text) => process.stdout.write(text),
    writeAside: (text) => process.stderr.write(text),
    signal: stop.signal,
    setExitCode: (code) => {
      process.exitCode = code;
    },
  }).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else if (stop.signal.aborted) process.exitCode = 130;
  else {
    process.stderr.write(`holdfast: ${describeError(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
