import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openLowdbJournal } from '#agent/adapters/lowdb-journal.ts';
import type { Journal } from '#agent/ports/journal.ts';
import { MemoryJournal } from '#test/fakes/memory-journal.ts';

async function onDisk(): Promise<Journal> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-journal-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return await openLowdbJournal({ path: join(folder, 'journal.json'), nowMs: () => 1 });
}

describe.each([
  ['the journal on disk', onDisk],
  ['the journal in memory', async (): Promise<Journal> => await Promise.resolve(new MemoryJournal())],
])('%s', (_name, open) => {
  test('begins empty', async () => {
    await using journal = await open();
    expect(journal.state).toMatchObject({ highestSeq: 0, active: null, deployment: null, outbox: [] });
  });

  test('applies changes one after another, each on the state before it', async () => {
    await using journal = await open();
    const results = await Promise.all(
      Array.from({ length: 50 }, () =>
        journal.update((state) => ({ ...state, highestSeq: state.highestSeq + 1 })),
      ),
    );
    expect(results.map(({ highestSeq }) => highestSeq)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
    expect(journal.state.highestSeq).toBe(50);
  });

  test('shows a change only once it has been kept', async () => {
    await using journal = await open();
    const update = journal.update((state) => ({ ...state, highestSeq: 7 }));
    expect(journal.state.highestSeq).toBe(0);
    await update;
    expect(journal.state.highestSeq).toBe(7);
  });

  test('a change that throws rejects its own caller and leaves the others', async () => {
    await using journal = await open();
    const first = journal.update((state) => ({ ...state, highestSeq: 1 }));
    const broken = journal.update(() => {
      throw new Error('no such state');
    });
    const last = journal.update((state) => ({ ...state, highestSeq: state.highestSeq + 1 }));
    await expect(broken).rejects.toThrow('no such state');
    await Promise.all([first, last]);
    expect(journal.state.highestSeq).toBe(2);
  });

  test('takes no change after it was closed, but finishes those before', async () => {
    const journal = await open();
    const before = journal.update((state) => ({ ...state, highestSeq: 3 }));
    await journal[Symbol.asyncDispose]();
    await before;
    expect(journal.state.highestSeq).toBe(3);
    await expect(journal.update((state) => state)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
