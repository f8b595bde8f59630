// The passphrase of a key: from a file, from HOLDFAST_KEY_PASSPHRASE, or asked on the terminal without echo.
// Invariant: it goes to no output, and readline keeps no history of it.

import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { HoldfastError } from '#protocol/errors.ts';
import type { Surroundings } from './context.ts';

const MAX_FILE_BYTES = 4_096;

export interface PassphraseRequest {
  /** A file that holds it; the line end at its end does not count. */
  readonly file?: string | undefined;
  /** What it opens, for the prompt: `alice.json`. */
  readonly what: string;
  /** Asks twice, for a passphrase that is new. */
  readonly confirm?: boolean;
}

/** Where it is asked: standard input, when that is a terminal. */
export type Terminal = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** Errors: `bad-config` when there is none and no terminal to ask on, `passphrase-wrong`, `cancelled`. */
export async function readPassphrase(
  surroundings: Pick<Surroundings, 'env' | 'writeAside' | 'signal'>,
  { file, what, confirm = false }: PassphraseRequest,
  terminal: Terminal = process.stdin,
): Promise<string> {
  if (file !== undefined) return readPassphraseFile(file);
  const fromEnvironment = surroundings.env['HOLDFAST_KEY_PASSPHRASE'];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  if (terminal.isTTY !== true) {
    throw new HoldfastError('bad-config', `no passphrase for ${what}, and no terminal to ask on`, {
      hint: 'set HOLDFAST_KEY_PASSPHRASE or give --passphrase-file FILE',
    });
  }
  using prompt = new HiddenPrompt(surroundings, terminal);
  const passphrase = await prompt.ask(`${confirm ? 'New passphrase' : 'Passphrase'} for ${what}: `);
  if (confirm && (await prompt.ask('The same again: ')) !== passphrase) {
    throw new HoldfastError('passphrase-wrong', 'the two passphrases differ', { hint: 'try again' });
  }
  return passphrase;
}

async function readPassphraseFile(path: string): Promise<string> {
  const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
  let bytesRead: number;
  try {
    await using handle = await open(path);
    ({ bytesRead } = await handle.read(buffer, 0, buffer.length));
  } catch (cause) {
    throw new HoldfastError('bad-config', `cannot read the passphrase file ${path}`, {
      hint: 'check the path and your rights on it',
      cause,
    });
  }
  const passphrase = buffer.toString('utf8', 0, bytesRead).replace(/\r?\n$/, '');
  if (passphrase !== '' && bytesRead <= MAX_FILE_BYTES) return passphrase;
  throw new HoldfastError('bad-config', `the passphrase file ${path} is empty or too long`, {
    hint: `it must hold one passphrase of at most ${MAX_FILE_BYTES} bytes`,
  });
}

/** A terminal in raw mode for as long as it lives, so that nothing typed is shown. */
class HiddenPrompt implements Disposable {
  readonly #lines: ReturnType<typeof createInterface>;
  readonly #closed = new AbortController();
  readonly #surroundings: Pick<Surroundings, 'writeAside' | 'signal'>;

  constructor(surroundings: Pick<Surroundings, 'writeAside' | 'signal'>, input: Terminal) {
    this.#surroundings = surroundings;
    const output = new Writable({ write: (_chunk, _encoding, done) => done() });
    this.#lines = createInterface({ input, output, terminal: true, historySize: 0 });
    this.#lines.once('close', () => this.#closed.abort());
  }

  async ask(question: string): Promise<string> {
    const { writeAside, signal } = this.#surroundings;
    writeAside(question);
    try {
      return await this.#lines.question('', { signal: AbortSignal.any([signal, this.#closed.signal]) });
    } catch (cause) {
      throw new HoldfastError('cancelled', 'no passphrase was given', { cause });
    } finally {
      writeAside('\n');
    }
  }

  [Symbol.dispose](): void {
    this.#lines.close();
  }
}
