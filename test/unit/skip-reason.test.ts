import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chromiumPath, skipWithout } from '../skip-reason.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-skip-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

describe('chromiumPath', () => {
  test('finds an executable Chromium anywhere on the path, and nothing else', async () => {
    const path = join(folder, 'chromium');
    const env = { PATH: `/nowhere${delimiter}${folder}` };
    await writeFile(path, '#!/bin/sh\n', { mode: 0o644 });
    expect(chromiumPath(env)).toBeUndefined();
    await chmod(path, 0o755);
    expect(chromiumPath(env)).toBe(path);
  });

  test('takes HOLDFAST_CHROMIUM before the path', () => {
    expect(chromiumPath({ HOLDFAST_CHROMIUM: '/somewhere/chrome', PATH: folder })).toBe('/somewhere/chrome');
  });
});

describe('skipWithout', () => {
  test('runs the test where the part is there', () => {
    expect(skipWithout('Chromium', '/bin/chromium', 'install it', { HOLDFAST_NO_SKIP: '1' })).toBe(false);
  });

  test('skips with the reason in one line where the part is missing', () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    expect(skipWithout('Chromium', undefined, 'apt-get install chromium', {})).toBe(true);
    expect(warn.mock.calls).toEqual([['skipped: Chromium is missing: apt-get install chromium']]);
  });

  test('fails instead where nothing may be skipped', () => {
    expect(() => skipWithout('Chromium', undefined, 'install it', { HOLDFAST_NO_SKIP: '1' })).toThrow(
      /Chromium is missing: install it/,
    );
  });
});
