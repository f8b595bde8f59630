import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runToolOrFail } from '../../build/run-tool.ts';
import { ROOT } from '../../build/tree.ts';

const run = promisify(execFile);
const BINS = ['holdfast', 'holdfast-control-plane', 'holdfast-agent'];
const ENV = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` };
const packedSchema = z.tuple([z.object({ filename: z.string() })]);
const lockSchema = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().optional() })) });

let folder: string;
let installed: string;

/** Packs the checkout and unpacks it as an installation would lie: under node_modules, beside what it depends on. */
async function install(): Promise<void> {
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
    env: ENV,
  });
  const [{ filename }] = packedSchema.parse(JSON.parse(stdout));
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components=1']);
  for (const name of await productionPackages()) {
    const link = join(folder, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), link);
  }
}

/** Names of the packages at the top of node_modules that an installation would bring: development ones are not. */
async function productionPackages(): Promise<string[]> {
  const lock = lockSchema.parse(
    JSON.parse(await readFile(join(ROOT, 'node_modules/.package-lock.json'), 'utf8')),
  );
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => !dev && /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path))
    .map(([path]) => path.slice('node_modules/'.length));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-package-'));
  installed = join(folder, 'node_modules', 'holdfast');
  runToolOrFail('node', ['test/build/build.ts']);
  await install();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packed package, under a node_modules folder', () => {
  test.each(BINS)('%s tells its usage, and nothing on standard error', async (name) => {
    const manifest = z
      .object({ bin: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')));
    const link = join(folder, name);
    await symlink(join(installed, manifest.bin[name] ?? 'missing'), link);
    const { stdout, stderr } = await run(link, ['--help'], { cwd: folder, env: ENV });
    expect(stdout).toMatch(/usage/i);
    expect(stderr).toBe('');
  });

  test('ships JavaScript, data files and no TypeScript', async () => {
    const files = await readdir(installed, { recursive: true });
    expect(files.filter((file) => /\.tsx?$/.test(file))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'dist/firmware-profiles/cpu-generic.json',
        'dist/control-plane/compression/onnx/onnx-schema.json',
        'dist/agent/worker/main.js',
      ]),
    );
  });

  test('finds every module that it names by a subpath', async () => {
    const named = new Set<string>();
    for (const file of await readdir(join(installed, 'dist'), { recursive: true })) {
      if (!file.endsWith('.js')) continue;
      const source = await readFile(join(installed, 'dist', file), 'utf8');
      for (const [, specifier] of source.matchAll(/['"](#[a-z-]+\/[^'"]+)['"]/g)) named.add(specifier ?? '');
    }
    expect(named).toContain('#agent/worker/main.ts');
    const { resolve } = createRequire(join(installed, 'dist', 'package.json'));
    for (const specifier of named) await access(resolve(specifier));
  });

  test('starts a control plane with its console, and stops when asked', async () => {
    const ports = ['--http-port=0', '--mqtt-port=0', '--gateway-port=0'];
    const args = [...ports, '--log-level=silent', '--data-dir', join(folder, 'data')];
    const plane = spawn(join(installed, 'dist/control-plane/main.js'), args, {
      env: ENV,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(plane, 'exit');
    try {
      const page = await fetch(await readyAddress(createInterface({ input: plane.stdout })));
      expect(await page.text()).toContain('/assets/');
      plane.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
    } finally {
      plane.kill('SIGKILL');
    }
  });
});

/** The first address of the line that says ready. */
async function readyAddress(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const url = /ready: (http:\S+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('the control plane ended before it was ready');
}
