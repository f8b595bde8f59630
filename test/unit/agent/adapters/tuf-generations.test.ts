import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TufGenerations } from '#agent/adapters/tuf-generations.ts';
import type { VersionMemory } from '#agent/adapters/tuf-memory.ts';

const ANCHOR = Buffer.from('{"the":"anchor"}');

let folder: string;
let directory: string;
let generations: TufGenerations;

const memory = (timestamp: number): VersionMemory => ({
  root: 1,
  keyIds: { timestamp: ['a'], snapshot: ['a'] },
  timestamp,
  snapshot: 1,
  roles: {},
  floorMs: 0,
});
const files = (text: string) =>
  new Map([
    ['root.json', ANCHOR],
    ['timestamp.json', Buffer.from(text)],
  ]);
const commit = async (number: number) =>
  await generations.commit(await generations.load(), files(`timestamp ${number}`), memory(number));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-generations-'));
  directory = join(folder, 'image');
  generations = new TufGenerations(directory, ANCHOR);
});
afterEach(() => rm(folder, { recursive: true }));

it('begins with the anchor and no memory', async () => {
  expect(await generations.load()).toEqual({
    generation: 0,
    files: new Map([['root.json', ANCHOR]]),
    memory: null,
    isDamaged: false,
  });
});

it('loads what was committed last, and keeps the one before it', async () => {
  for (const number of [1, 2, 3]) await commit(number);
  expect(await generations.load()).toEqual({
    generation: 3,
    files: files('timestamp 3'),
    memory: memory(3),
    isDamaged: false,
  });
  expect((await readdir(directory)).sort()).toEqual(['gen-2', 'gen-3', 'memory.json']);
});

it('stages a copy: what happens to it does not touch the generation', async () => {
  await commit(1);
  const staging = await generations.stage(await generations.load());
  await writeFile(join(staging, 'timestamp.json'), 'other');
  expect((await generations.load()).files).toEqual(files('timestamp 1'));
  await generations.discard();
  expect(await readdir(directory)).not.toContain('staging');
});

it('ignores what grew from another anchor, and replaces it', async () => {
  await commit(1);
  generations = new TufGenerations(directory, Buffer.from('{"another":"anchor"}'));
  expect(await generations.load()).toMatchObject({ generation: 0, memory: null });
  await commit(1);
  expect(await generations.load()).toMatchObject({ generation: 2, isDamaged: false });
  expect((await readdir(directory)).sort()).toEqual(['gen-2', 'memory.json']);
});

it('goes on from whole files with all its memory, whichever one file is damaged and how', async () => {
  for (const number of [1, 2]) await commit(number);
  await cp(directory, join(folder, 'healthy'), { recursive: true });
  const paths = [
    'gen-2/root.json',
    'gen-2/timestamp.json',
    'gen-2/generation.seal',
    'memory.json',
    'gen-1/timestamp.json',
  ];
  const damage = fc.record({
    path: fc.constantFrom(...paths),
    kind: fc.constantFrom('cut', 'flip', 'grow', 'remove'),
    part: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ path, kind, part }) => {
      await rm(directory, { recursive: true });
      await cp(join(folder, 'healthy'), directory, { recursive: true });
      const bytes = await readFile(join(directory, path));
      const at = Math.floor(bytes.length * part);
      if (kind === 'remove') await rm(join(directory, path));
      if (kind === 'cut') await writeFile(join(directory, path), bytes.subarray(0, at));
      if (kind === 'grow') await writeFile(join(directory, path), Buffer.concat([bytes, Buffer.from('}')]));
      if (kind === 'flip') {
        bytes[at] = (bytes[at] ?? 0) ^ 0x10;
        await writeFile(join(directory, path), bytes);
      }
      const state = await generations.load();
      expect(state.memory).toEqual(memory(2));
      const isNewest = !path.startsWith('gen-2');
      expect(state).toMatchObject({ generation: isNewest ? 2 : 1, isDamaged: !isNewest });
      expect(state.files).toEqual(files(`timestamp ${state.generation}`));
      await generations.commit(state, files('timestamp 3'), memory(3));
      expect(await generations.load()).toMatchObject({ generation: 3, isDamaged: false });
      expect((await readdir(directory)).sort()).toEqual(
        [`gen-${state.generation}`, 'gen-3', 'memory.json'].sort(),
      );
    }),
    { numRuns: 80 },
  );
});

it('remembers what it knew before the files were lost in two places', async () => {
  await commit(5);
  await rm(join(directory, 'gen-1'), { recursive: true });
  expect(await generations.load()).toMatchObject({ generation: 0, memory: memory(5) });
});

it('takes the memory of a generation that was committed just before a crash', async () => {
  await commit(1);
  const before = await readFile(join(directory, 'memory.json'));
  await commit(2);
  await writeFile(join(directory, 'memory.json'), before);
  expect(await generations.load()).toMatchObject({ generation: 2, memory: memory(2) });
  await writeFile(join(directory, 'gen-2', 'timestamp.json'), '');
  expect(await generations.load()).toMatchObject({ generation: 1, memory: memory(2), isDamaged: true });
});

it('believes no record whose numbers were changed', async () => {
  await commit(2);
  for (const path of ['gen-1/generation.seal', 'memory.json']) {
    const text = await readFile(join(directory, path), 'utf8');
    expect(text).toContain('"timestamp":2');
    await writeFile(join(directory, path), text.replace('"timestamp":2', '"timestamp":9'));
    expect((await generations.load()).memory).toEqual(memory(2));
    await writeFile(join(directory, path), text);
  }
});

it('ignores what else lies in its folder', async () => {
  await commit(1);
  await writeFile(join(directory, 'gen-x'), '');
  await writeFile(join(directory, 'notes'), '');
  expect(await generations.load()).toMatchObject({ generation: 1 });
});
