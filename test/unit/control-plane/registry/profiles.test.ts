import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BUILT_IN_PROFILES, loadProfiles, profileByName } from '#control-plane/registry/profiles.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-profiles-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const load = () => loadProfiles(pathToFileURL(`${folder}/`));

it('come with Holdfast, each checked and named as its file', async () => {
  const profiles = await loadProfiles();
  expect([...profiles.keys()]).toContain('cpu-generic');
  for (const { compression } of profiles.values()) {
    expect(compression.candidates.at(-1), 'the last resort').toEqual({ kind: 'original' });
  }
  const first = (name: string) => profileByName(profiles, name).compression.candidates[0];
  expect(first('x86-cpu')).toMatchObject({ activation: 'u8', perChannel: true, reduceRange: true });
  expect(first('x86-cpu-vnni')).toMatchObject({ activation: 'u8', perChannel: true, reduceRange: false });
  expect(first('arm64-cpu')).toMatchObject({ activation: 's8', perChannel: true });
  for (const name of ['jetson-orin', 'x86-tensorrt', 'x86-cuda'])
    expect(first(name)).toEqual({ kind: 'fp16' });
  expect(() => profileByName(profiles, 'toaster')).toThrow(
    expect.objectContaining({ code: 'profile-unknown' }),
  );
});

it.each([
  ['that is not JSON', () => '{'],
  ['without a budget', (text: string) => text.replace('"p95LatencyMs"', '"p95"')],
  ['under another name', (text: string) => text.replace('"cpu-generic"', '"other"')],
])('%s stop the start, naming the file', async (_what, spoil) => {
  await cp(new URL('cpu-generic.json', BUILT_IN_PROFILES), join(folder, 'cpu-generic.json'));
  await writeFile(
    join(folder, 'cpu-generic.json'),
    spoil(await readFile(join(folder, 'cpu-generic.json'), 'utf8')),
  );
  const loading = load();
  await expect(loading).rejects.toMatchObject({ code: 'bad-config' });
  await expect(loading).rejects.toThrow('cpu-generic.json');
});

it('must be there at all', async () => {
  await expect(load()).rejects.toMatchObject({ code: 'bad-config' });
});
