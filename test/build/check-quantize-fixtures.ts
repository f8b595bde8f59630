// Makes the quantizer's fixtures again with the Python quantizer, in a folder of its own, compares them with those
// of this checkout, and runs the tests that read them against the new ones. Needs a Python with the versions that
// make_fixtures.py pins: node test/build/check-quantize-fixtures.ts [PYTHON]

import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool } from './run-tool.ts';
import { ROOT } from './tree.ts';

const FIXTURES = join(ROOT, 'test/fixtures/quantize');
const TESTS = 'test/unit/control-plane/compression/quantize';
const MADE = /\.(onnx|safetensors|json)$/;
/** Differences that are printed of one file. */
const MAX_PRINTED = 10;

const [python = 'python3'] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'holdfast-quantize-'));
try {
  const args = ['-B', join(FIXTURES, 'make_fixtures.py'), folder];
  const { status, error } = spawnSync(python, args, { stdio: 'inherit' });
  if (error) throw new Error(`${python} did not start`, { cause: error });
  if (status !== 0) throw new Error(`${python} ${args.join(' ')} ended with status ${status}`);
  const differences = await compareFolders(folder);
  for (const difference of differences) console.log(difference);
  process.env['HOLDFAST_QUANTIZE_FIXTURES'] = folder;
  const failed = runTool('vitest', [
    'run',
    '--project',
    'unit',
    `${TESTS}/reference`,
    `${TESTS}/calibration`,
  ]);
  console.log(`${differences.length} differences from ${FIXTURES}`);
  // Another processor may round the sums of a run otherwise; models and samples are the same everywhere.
  const isOtherwise = differences.some((difference) => !difference.includes('.expected.json:'));
  process.exitCode = isOtherwise || failed !== 0 ? 1 : 0;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** One line a difference. JSON is compared line by line, the rest as bytes. */
async function compareFolders(made: string): Promise<string[]> {
  const [ours, theirs] = [await fixturesIn(FIXTURES), await fixturesIn(made)];
  const differences: string[] = [];
  for (const name of [...new Set([...ours, ...theirs])].toSorted()) {
    if (!ours.includes(name) || !theirs.includes(name)) {
      differences.push(`${name}: ${ours.includes(name) ? 'is not made any more' : 'is new'}`);
      continue;
    }
    const [kept, fresh] = [await readFile(join(FIXTURES, name)), await readFile(join(made, name))];
    if (name.endsWith('.json')) differences.push(...compareLines(name, kept.toString(), fresh.toString()));
    else if (!kept.equals(fresh)) differences.push(`${name}: other bytes`);
  }
  return differences;
}

async function fixturesIn(from: string): Promise<string[]> {
  return (await readdir(from)).filter((name) => MADE.test(name));
}

function compareLines(name: string, ours: string, theirs: string): string[] {
  const made = theirs.split('\n');
  const lines = ours.split('\n').flatMap((line, index) => {
    return line === made[index]
      ? []
      : [`${name}:${index + 1}: ${line} was made as ${made[index] ?? 'nothing'}`];
  });
  return lines.length <= MAX_PRINTED
    ? lines
    : [...lines.slice(0, MAX_PRINTED), `${name}: ${lines.length} in all`];
}
