import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { openLowdbJournal } from '#agent/adapters/lowdb-journal.ts';
import { flipForward } from '#agent/domain/pointer.ts';
import type { Journal } from '#agent/ports/journal.ts';
import { anInstalled } from '#test/fakes/agent-releases.ts';

let folder: string;
let path: string;
let setAside: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-journal-'));
  path = join(folder, 'journal.json');
  setAside = [];
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

const open = (): Promise<Journal> =>
  openLowdbJournal({ path, nowMs: () => 42, onSetAside: (movedTo) => setAside.push(movedTo) });

async function reach(highestSeq: number): Promise<void> {
  await using journal = await open();
  await journal.update((state) => ({ ...state, highestSeq }));
}

test('a new process reads what the one before it wrote', async () => {
  {
    await using journal = await open();
    await journal.update((state) => flipForward({ ...state, highestSeq: 9 }, anInstalled(3)));
  }
  await using again = await open();
  expect(again.state.highestSeq).toBe(9);
  expect(again.state.slots.a?.manifest).toEqual(anInstalled(3).manifest);
});

test('a torn file falls back to the generation before it, and is kept aside', async () => {
  await reach(1);
  await reach(2);
  const whole = await readFile(path);
  await truncate(path, whole.length - 40);
  await using journal = await open();
  expect(journal.state.highestSeq).toBe(1);
  expect(setAside).toEqual([`${path}.corrupt-42`]);
  expect((await readFile(`${path}.corrupt-42`)).length).toBe(whole.length - 40);
});

test('a flipped digit is noticed, though the JSON is still valid', async () => {
  await reach(1);
  await reach(2);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('"highestSeq":2', '"highestSeq":9'));
  await using journal = await open();
  expect(journal.state.highestSeq).toBe(1);
});

test('a state that breaks an invariant is not gone on from', async () => {
  await reach(1);
  {
    await using journal = await open();
    await journal.update((state) => ({ ...state, active: 'a' }));
  }
  await using journal = await open();
  expect(journal.state).toMatchObject({ active: null, highestSeq: 1 });
});

test('two unreadable generations are one clear error, set aside, and the next start begins anew', async () => {
  await reach(1);
  await reach(2);
  await writeFile(path, 'not a journal');
  await writeFile(`${path}.previous`, '{}\n{}\n');
  await expect(open()).rejects.toMatchObject({
    code: 'journal-corrupt',
    hint: expect.stringContaining('again'),
  });
  expect((await readdir(folder)).sort()).toEqual([
    'journal.json.corrupt-42',
    'journal.json.previous.corrupt-42',
  ]);
  await using journal = await open();
  expect(journal.state.highestSeq).toBe(0);
});

test('a process killed between the two renames loses nothing', async () => {
  await reach(1);
  await reach(2);
  // What a kill right there leaves: the old file already renamed, the new one still under its temporary name.
  await rm(path);
  await writeFile(`${path}.tmp`, 'half of a new generat');
  await using journal = await open();
  expect(journal.state.highestSeq).toBe(1);
  await journal.update((state) => ({ ...state, highestSeq: 5 }));
  await using again = await open();
  expect(again.state.highestSeq).toBe(5);
});

test('a change that cannot be written is not shown, and the next one can', async () => {
  await using journal = await open();
  await journal.update((state) => ({ ...state, highestSeq: 1 }));
  await rm(folder, { recursive: true });
  await expect(journal.update((state) => ({ ...state, highestSeq: 2 }))).rejects.toThrow('ENOENT');
  expect(journal.state.highestSeq).toBe(1);
});

test('changes that wait while a write is under way go down together', async () => {
  await using journal = await open();
  await Promise.all(
    Array.from({ length: 200 }, (_, index) => journal.update((state) => ({ ...state, highestSeq: index }))),
  );
  const previous = JSON.parse(
    (await readFile(`${path}.previous`, 'utf8').catch(() => '{}\n{}')).split('\n')[1] ?? '{}',
  );
  expect(journal.state.highestSeq).toBe(199);
  // One write each would leave 198 here.
  expect((previous as { highestSeq?: number }).highestSeq ?? 0).toBeLessThan(198);
});
