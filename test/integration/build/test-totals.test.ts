import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ROOT } from '../../build/tree.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-totals-'));
});

afterEach(() => rm(folder, { recursive: true }));

/** The closing line and the status for one file of tests with these outcomes. */
async function totals(
  outcomes: readonly string[],
  fileStatus = 'passed',
): Promise<[string | undefined, number | null]> {
  const count = (status: string) => outcomes.filter((outcome) => outcome === status).length;
  const report = {
    success: count('failed') === 0 && fileStatus === 'passed',
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: count('skipped'),
    numTodoTests: count('todo'),
    testResults: [
      {
        name: 'a.test.ts',
        status: fileStatus,
        message: '',
        assertionResults: outcomes.map((status, index) => ({ fullName: `test ${index}`, status })),
      },
    ],
  };
  const path = join(folder, 'report.json');
  await writeFile(path, JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, [join(ROOT, 'test/build/test-totals.ts'), path], {
    encoding: 'utf8',
  });
  return [stdout.trim().split('\n').at(-1), status];
}

describe('the closing line of CI', () => {
  test('is well only where all tests passed', async () => {
    expect(await totals(['passed', 'passed'])).toEqual(['2 passed, 0 failed, 0 skipped', 0]);
    expect(await totals(['passed', 'failed'], 'failed')).toEqual(['1 passed, 1 failed, 0 skipped', 1]);
  });

  test('takes a skipped or unwritten test for a failure of the run', async () => {
    expect(await totals(['passed', 'skipped', 'todo'])).toEqual(['1 passed, 0 failed, 2 skipped', 1]);
  });

  test('counts a file that broke before its first test', async () => {
    expect(await totals([], 'failed')).toEqual(['0 passed, 1 failed, 0 skipped', 1]);
  });

  test('does not take a run of nothing for a success', async () => {
    expect(await totals([])).toEqual(['0 passed, 0 failed, 0 skipped', 1]);
  });
});
