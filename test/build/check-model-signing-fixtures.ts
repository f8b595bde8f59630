// Makes the model signing fixtures again with the reference implementation, in a folder of its own, compares what they
// sign with those of this checkout, and runs the tests that read them against the new ones. Needs a Python with the
// version that make_fixtures.py names: node test/build/check-model-signing-fixtures.ts [PYTHON]

import { spawnSync } from 'node:child_process';
import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { runTool } from './run-tool.ts';
import { ROOT } from './tree.ts';

const FIXTURES = join(ROOT, 'test/fixtures/model-signing');
const TESTS = 'test/unit/control-plane/trust/offline/model-signature.test.ts';
const WHOLE = ['files.json', 'public.pem'];
const SIGNATURES = ['plain.sig', 'names.sig'];

const [python = 'python3'] = process.argv.slice(2);
await using folder = await mkdtempDisposable(join(tmpdir(), 'holdfast-model-signing-'));
const args = ['-B', join(FIXTURES, 'make_fixtures.py'), folder.path];
const { status, error } = spawnSync(python, args, { stdio: 'inherit' });
if (error) throw new Error(`${python} did not start`, { cause: error });
if (status !== 0) throw new Error(`${python} ${args.join(' ')} ended with status ${status}`);
const different: string[] = [];
for (const name of WHOLE) {
  if ((await read(FIXTURES, name)) !== (await read(folder.path, name))) different.push(name);
}
for (const name of SIGNATURES) {
  const [kept, made] = [await read(FIXTURES, name), await read(folder.path, name)].map(signedPart);
  if (kept !== made) different.push(name);
}
process.env['HOLDFAST_MODEL_SIGNING_FIXTURES'] = folder.path;
const failed = runTool('vitest', ['run', '--project', 'unit', TESTS]);
console.log(
  `${different.length} differences from ${FIXTURES}${different.map((name) => `, ${name}`).join('')}`,
);
process.exitCode = different.length > 0 || failed !== 0 ? 1 : 0;

async function read(from: string, name: string): Promise<string> {
  return await readFile(join(from, name), 'utf8');
}

/** What is signed, in one order: the reference lists what it ignores in any. */
function signedPart(text: string): string {
  const { dsseEnvelope } = JSON.parse(text) as { dsseEnvelope: { payload: string } };
  const statement = JSON.parse(Buffer.from(dsseEnvelope.payload, 'base64').toString('utf8')) as {
    predicate: { serialization: { ignore_paths: string[] } };
  };
  statement.predicate.serialization.ignore_paths.sort();
  return canonicalJson(statement);
}
