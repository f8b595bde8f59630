import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkDependencies } from '../../build/check-dependencies.ts';
import { ROOT } from '../../build/tree.ts';

const FILLERS = Array.from(
  { length: 20 },
  (_, index) => [`protocol/filler-${index}.ts`, 'export {};'] as const,
);
const CLEAN: Record<string, string> = {
  ...Object.fromEntries(FILLERS),
  'protocol/errors.ts': `import { z } from 'zod'; export const code = z.string();`,
  'agent/main.ts': `import { code } from '#protocol/errors.ts'; import './adapters/mqtt.ts'; export { code };`,
  'agent/adapters/mqtt.ts': `export const mqtt = 1;`,
  'agent/worker/main.ts': `import 'onnxruntime-node';`,
  'agent/supervisor/slot.ts': `export const slot = 1;`,
  'agent/domain/step.ts': `import type { slot } from '../supervisor/slot.ts'; export const step = 1;`,
  'control-plane/app.ts': `import { code } from '#protocol/errors.ts'; export { code };`,
};

/** Each planted file, and the rule that must name it. */
const VIOLATIONS: ReadonlyArray<readonly [rule: string, file: string, source: string]> = [
  ['protocol-only-zod', 'protocol/clock.ts', `import 'node:fs';`],
  ['protocol-only-zod', 'protocol/express.ts', `import 'express';`],
  ['agent-not-control-plane', 'agent/http/peek.ts', `import '#control-plane/app.ts';`],
  [
    'control-plane-not-agent',
    'control-plane/fleet/peek.ts',
    `import type { slot } from '#agent/supervisor/slot.ts';`,
  ],
  ['product-not-test', 'agent/http/faked.ts', `import '#test/fakes/clock.ts';`],
  ['pure-no-io', 'agent/domain/disk.ts', `import 'node:fs/promises';`],
  ['pure-no-io', 'control-plane/rollouts/plan.ts', `import 'node:timers/promises';`],
  [
    'pure-imports-pure',
    'agent/domain/impure.ts',
    `import { slot } from '../supervisor/slot.ts'; export { slot };`,
  ],
  ['view-only-protocol', 'control-plane/view/table.ts', `import 'kysely';`],
  ['cli-only-protocol', 'control-plane/cli/shortcut.ts', `import '../app.ts';`],
  ['cli-compress-alone', 'control-plane/cli/commands/compress/shortcut.ts', `import '../../../app.ts';`],
  ['cli-keys-stay-here', 'control-plane/cli/commands/trust/shortcut.ts', `import '../../../app.ts';`],
  ['console-only-protocol', 'control-plane/console/shortcut.tsx', `import '../app.ts';`],
  ['adapters-from-composition-roots', 'agent/supervisor/wired.ts', `import '../adapters/mqtt.ts';`],
  ['inference-only-in-worker', 'agent/supervisor/far.ts', `import './near.ts';`],
  ['inference-only-in-worker', 'agent/supervisor/near.ts', `import 'sharp';`],
  ['no-circular', 'agent/http/chicken.ts', `import './egg.ts';`],
  ['no-circular', 'agent/http/egg.ts', `import type {} from './chicken.ts';`],
  ['no-unresolved', 'agent/http/lost.ts', `import './nowhere.ts';`],
  ['no-undeclared-package', 'agent/http/typed.ts', `import 'vitest';`],
  ['no-drawers', 'agent/utils/strings.ts', `export {};`],
  ['no-barrels', 'agent/http/index.ts', `export {};`],
];

let root: string;

async function plant(file: string, source: string): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), source);
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-imports-'));
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  await plant('package.json', await readFile(join(ROOT, 'package.json'), 'utf8'));
  await plant('test/fakes/clock.ts', 'export {};');
  for (const [file, source] of Object.entries(CLEAN)) await plant(file, source);
});

afterEach(() => rm(root, { recursive: true }));

describe('check of imports', () => {
  test('finds nothing in a tree that keeps the rules', async () => {
    const report = await checkDependencies(root);
    expect(report.problems).toEqual([]);
    expect(report.moduleCount).toBe(Object.keys(CLEAN).length + 1);
  });

  test('names every planted violation by its rule and file', async () => {
    for (const [, file, source] of VIOLATIONS) await plant(file, source);
    const { problems } = await checkDependencies(root);
    for (const [rule, file] of VIOLATIONS) {
      expect(problems).toContainEqual(expect.stringMatching(new RegExp(`^${rule}: .*${file}`)));
    }
  });

  test('fails when it saw too few modules to mean anything', async () => {
    for (const [file] of FILLERS) await rm(join(root, file));
    const { problems } = await checkDependencies(root);
    expect(problems).toEqual([expect.stringMatching(/^blind: the cruise saw \d+ modules/)]);
  });

  test('fails when subpath imports no longer resolve', async () => {
    await plant('package.json', '{"type":"module","dependencies":{"zod":"*","onnxruntime-node":"*"}}');
    const { problems } = await checkDependencies(root);
    expect(problems).toContain('blind: no import of #protocol/ resolved from agent/');
  });
});
