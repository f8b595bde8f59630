#!/usr/bin/env node
// The agent's TUF client as a command. Invariant: the truth is the generations under <metadata-dir>/.holdfast;
// the plain `.json` files beside them are copies, renewed after every command, failed ones too, never read back.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent } from 'undici';
import { HoldfastError, describeError } from '#protocol/errors.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { loadAnchor, saveAnchor } from '../adapters/tuf-anchor-file.ts';
import { TufClient } from '../adapters/tuf-client.ts';
import { TufFetcher } from '../adapters/tuf-fetcher.ts';
import { showPlainFiles } from '../adapters/tuf-plain-files.ts';
import { downloadTarget } from '../adapters/tuf-target-download.ts';
import { USAGE, readArguments } from './arguments.ts';
import type { TufCommand } from './arguments.ts';

const STATE_FOLDER = '.holdfast';
const FILE_TIMEOUT_MS = 30_000;

async function run(command: TufCommand): Promise<void> {
  if (command.name === 'help') return void process.stdout.write(USAGE);
  const state = join(command.metadataDir, STATE_FOLDER);
  if (command.name === 'init') {
    await saveAnchor(state, await readFile(command.rootPath));
    return await show(command.metadataDir, await clientOf(state, '', new Agent()));
  }
  const dispatcher = new Agent({ connect: { timeout: FILE_TIMEOUT_MS } });
  try {
    const client = await clientOf(state, command.metadataUrl, dispatcher);
    try {
      await refresh(client, command, dispatcher);
    } finally {
      await show(command.metadataDir, client);
    }
  } finally {
    await dispatcher.destroy();
  }
}

async function refresh(client: TufClient, command: TufCommand, dispatcher: Agent): Promise<void> {
  const { signal } = new AbortController();
  if (command.name !== 'download') return void (await client.refresh(signal));
  const { targetName, targetUrl: baseUrl, targetDir: directory } = command;
  const { found, isConsistentSnapshot } = await client.refresh(signal, [targetName]);
  const target = found.get(targetName)?.target;
  if (target === undefined) throw new HoldfastError('not-found', `nobody signed ${targetName}`);
  await downloadTarget(target, { baseUrl, directory, dispatcher, isConsistentSnapshot });
}

async function clientOf(directory: string, baseUrl: string, dispatcher: Agent): Promise<TufClient> {
  return new TufClient({
    name: 'this',
    directory,
    anchor: await loadAnchor(directory),
    baseUrl,
    fetcher: (signal) => new TufFetcher({ baseUrl, dispatcher, signal, timeoutMs: FILE_TIMEOUT_MS }),
    now: () => new Date(systemClock.nowMs()),
  });
}

async function show(metadataDir: string, client: TufClient): Promise<void> {
  await showPlainFiles(metadataDir, await client.trustedFiles());
}

try {
  await run(readArguments(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`holdfast-tuf: ${describeError(error)}\n`);
  process.exitCode = 1;
}
