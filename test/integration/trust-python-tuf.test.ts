// What the control plane publishes, read by the reference implementation of TUF: from the first root on, through a
// ceremony with keys of both kinds, a team and rotations.

import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { skipWithout } from '#test/skip-reason.ts';
import { Ceremony, listed, someKeys } from '#test/unit/control-plane/trust/ceremony.ts';

/** Refreshes a client that keeps its metadata, and prints the length of each target that it finds. */
const CLIENT = `
import json, os, sys
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

class Files(FetcherInterface):
    def _fetch(self, url):
        path = os.path.join(sys.argv[1], url.rsplit("/", 1)[1])
        if not os.path.exists(path):
            raise DownloadHTTPError("missing", 404)
        return iter([open(path, "rb").read()])

root = open(sys.argv[3], "rb").read()
client = Updater(sys.argv[2], "http://gateway.invalid/", fetcher=Files(), bootstrap=root)
client.refresh()
found = [client.get_targetinfo(path) for path in sys.argv[4:]]
print(json.dumps([info and info.length for info in found]))
`;
const python = findPython();

let world: Ceremony;
let folder: string;

beforeEach(async () => {
  world = await Ceremony.begin();
  folder = await mkdtemp(join(tmpdir(), 'holdfast-python-tuf-'));
  await writeFile(join(folder, 'root.json'), world.image.trustedRoot);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function lengths(...targets: string[]): unknown {
  const args = ['-c', CLIENT, join(world.folder, 'image'), join(folder, 'client'), join(folder, 'root.json')];
  const { stdout, stderr, status } = spawnSync(python ?? '', [...args, ...targets], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

describe.skipIf(
  skipWithout('Python with tuf', python, 'pip install tuf, and name that Python in HOLDFAST_PYTHON'),
)('the reference implementation of TUF', () => {
  it('follows everything that is published', async () => {
    const [ann, bob, cat] = someKeys(3);
    if (ann === undefined || bob === undefined || cat === undefined) expect.fail();
    await world.source('digits');
    await world.release('digits');
    expect(lengths('digits/1/cpu.json', 'digits/2/cpu.json')).toEqual([3, null]);
    const signers = { keys: listed([ann, bob]), threshold: 2 };
    await world.change('image', { kind: 'take-over', root: signers, targets: signers });
    await world.sign('image', 'root', [ann, bob]);
    await world.sign('image', 'targets', [ann, bob]);
    expect(lengths('digits/1/cpu.json', 'digits/1/source/contract.json')).toEqual([3, 9]);
    await world.change('image', {
      kind: 'team', team: 'vision', models: ['vision-*'], authorSignature: 'none',
      keys: listed([bob, cat]), threshold: 2,
    }); // prettier-ignore
    await world.sign('image', 'targets', [ann, bob]);
    await world.source('vision-faces');
    await world.sign('image', 'team-vision', [bob, cat]);
    await world.release('vision-faces');
    expect(lengths('vision-faces/1/source/contract.json', 'vision-faces/1/cpu.json')).toEqual([9, 3]);
    for (const role of ['snapshot', 'timestamp']) await world.change('image', { kind: 'rotate', role });
    await world.sign('image', 'root', [ann, bob]);
    expect(lengths('vision-faces/1/cpu.json', 'digits/1/cpu.json')).toEqual([3, 3]);
  });
});

function findPython(): string | undefined {
  const candidates = [process.env['HOLDFAST_PYTHON'] ?? 'python3'];
  return candidates.find((path) => spawnSync(path, ['-c', 'import tuf.ngclient']).status === 0);
}
