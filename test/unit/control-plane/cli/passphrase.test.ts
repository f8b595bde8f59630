import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { errorCodeOf } from '#protocol/errors.ts';
import { readPassphrase, type Terminal } from '#control-plane/cli/passphrase.ts';

function surroundings(env: Record<string, string> = {}) {
  const shown: string[] = [];
  const signal = new AbortController().signal;
  return { env, signal, shown, writeAside: (text: string) => void shown.push(text) };
}

function terminal(): PassThrough & Terminal {
  return Object.assign(new PassThrough(), { isTTY: true });
}

describe('readPassphrase', () => {
  it('takes the file before the environment, without the line end', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'holdfast-passphrase-'));
    const file = join(folder.path, 'passphrase');
    await writeFile(file, ' four words of mine \n');
    const given = surroundings({ HOLDFAST_KEY_PASSPHRASE: 'another' });
    expect(await readPassphrase(given, { file, what: 'alice.json' })).toBe(' four words of mine ');
    expect(await readPassphrase(given, { what: 'alice.json' })).toBe('another');
  });

  it('refuses a file that is empty, too long or not there', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'holdfast-passphrase-'));
    const file = join(folder.path, 'passphrase');
    for (const text of ['', '\n', 'x'.repeat(5_000)]) {
      await writeFile(file, text);
      await expect(readPassphrase(surroundings(), { file, what: 'k' })).rejects.toMatchObject({
        code: 'bad-config',
      });
    }
    const missing = readPassphrase(surroundings(), { file: `${file}-missing`, what: 'k' });
    await expect(missing).rejects.toMatchObject({ code: 'bad-config' });
  });

  it('asks on the terminal and shows nothing of what is typed', async () => {
    const given = surroundings();
    const input = terminal();
    const answer = readPassphrase(given, { what: 'alice.json' }, input);
    input.write('correct horse\r');
    expect(await answer).toBe('correct horse');
    expect(given.shown).toEqual(['Passphrase for alice.json: ', '\n']);
  });

  it('asks twice for a new one and refuses two that differ', async () => {
    for (const [second, outcome] of [
      ['correct horse', 'correct horse'],
      ['correct house', 'passphrase-wrong'],
    ] as const) {
      const given = surroundings();
      const input = terminal();
      const answer = readPassphrase(given, { what: 'k', confirm: true }, input).catch(errorCodeOf);
      input.write('correct horse\r');
      while (!given.shown.includes('The same again: ')) await Promise.resolve();
      input.write(`${second}\r`);
      expect(await answer).toBe(outcome);
    }
  });

  it('is cancelled by Ctrl+C and by the end of the input', async () => {
    for (const key of ['\u0003', '\u0004']) {
      const input = terminal();
      const answer = readPassphrase(surroundings(), { what: 'k' }, input);
      input.write(key);
      await expect(answer).rejects.toMatchObject({ code: 'cancelled' });
    }
  });

  it('says how to give it where there is no terminal', async () => {
    const answer = readPassphrase(surroundings(), { what: 'k' }, new PassThrough());
    await expect(answer).rejects.toMatchObject({
      code: 'bad-config',
      hint: expect.stringContaining('--passphrase-file'),
    });
  });
});
