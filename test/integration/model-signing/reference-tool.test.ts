// Both ways between `holdfast model sign|verify` and the reference implementation's own command line.

import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { skipWithout } from '#test/skip-reason.ts';
import { folderOf } from '#test/unit/control-plane/trust/offline/signed-folder.ts';

const CLI = fileURLToPath(new URL('../../../control-plane/cli/main.ts', import.meta.url));
const FILES = {
  'contract.json': '{}',
  'weights.onnx': 'weights',
  'a/b/golden.safetensors': 'golden',
  'ü 😀.txt': 'names',
  '.gitignore': '*.tmp',
};
const python = findPython();

describe.skipIf(
  skipWithout(
    'Python with model_signing',
    python,
    'pip install model-signing, and name that Python in HOLDFAST_PYTHON',
  ),
)('the reference implementation', () => {
  it('verifies what we sign, and refuses it once a file was changed', async () => {
    await using model = await keyedFolder();
    const { folder, signaturePath, privatePath, publicPath } = model;
    const signing = ['model', 'sign', '--files', folder, '--key', privatePath, '--out', signaturePath];
    expect(await run(process.execPath, [CLI, ...signing])).toMatchObject({ status: 0 });
    const verifying = ['--signature', signaturePath, '--public_key', publicPath, folder];
    expect(await reference(['verify', 'key', ...verifying])).toMatchObject({ status: 0 });
    await writeFile(model.path('weights.onnx'), 'Weights');
    expect(await reference(['verify', 'key', ...verifying])).toMatchObject({ status: 1 });
  });

  it('makes what we verify, and refuse once a file was changed', async () => {
    await using model = await keyedFolder();
    const { folder, signaturePath, privatePath, publicPath } = model;
    const signing = ['sign', 'key', '--signature', signaturePath, '--private_key', privatePath, folder];
    expect(await reference(signing)).toMatchObject({ status: 0 });
    const files = ['--files', folder, '--signature', signaturePath];
    const verifying = ['model', 'verify', ...files, '--key', publicPath];
    expect(await run(process.execPath, [CLI, ...verifying])).toMatchObject({ status: 0 });
    await writeFile(model.path('weights.onnx'), 'Weights');
    const refused = await run(process.execPath, [CLI, ...verifying]);
    expect(refused).toMatchObject({ status: 2, errors: expect.stringContaining('weights.onnx was changed') });
  });
});

async function keyedFolder() {
  const model = await folderOf(FILES);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const [privatePath, publicPath] = [`${model.folder}.key.pem`, `${model.folder}.public.pem`];
  await writeFile(privatePath, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await writeFile(publicPath, publicKey.export({ type: 'spki', format: 'pem' }));
  return { ...model, privatePath, publicPath };
}

function reference(args: readonly string[]) {
  return run(python ?? '', ['-m', 'model_signing', ...args]);
}

async function run(command: string, args: readonly string[]) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const [errors, [status]] = await Promise.all([
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { status, errors };
}

function findPython(): string | undefined {
  const command = process.env['HOLDFAST_PYTHON'] ?? 'python3';
  const { status } = spawnSync(command, ['-c', 'import model_signing'], { stdio: 'ignore' });
  return status === 0 ? command : undefined;
}
