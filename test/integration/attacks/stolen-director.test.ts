// A thief with every key of the Director, root among them, and the way to the device: he can choose among the versions
// that authors signed and still allow, and nothing more.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { encodeDirectorCustom } from '#protocol/director-custom.ts';
import type { DirectorCustom, ReleaseManifest } from '#protocol/release.ts';
import { releaseTargetPath } from '#protocol/release.ts';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { aManifest, digestOf, manifestBytes } from '#test/fakes/agent-releases.ts';
import { AttackScene, EDGE } from '#test/fakes/attack-scene.ts';
import { TrustThief } from '#test/fakes/trust-thief.ts';
import { orderOf } from '#test/fakes/trust-world.ts';

const [FIRST, SECOND, THIRD] = [aManifest(1), aManifest(2), aManifest(3)];
const DIRECTOR = `director/${EDGE}`;

let scene: AttackScene;
let thief: TrustThief;
let version: number;

beforeEach(async () => {
  scene = await AttackScene.create();
  thief = new TrustThief(scene.world);
  version = 9;
  for (const manifest of [FIRST, SECOND]) {
    scene.putSource('team-digits', manifest);
    scene.putRelease('pipeline', manifest);
  }
  scene.image.publish();
  await scene.order(FIRST, 1);
  expect(await scene.install()).toEqual(FIRST);
});
afterEach(() => scene[Symbol.asyncDispose]());

interface Forged {
  readonly bytes?: Buffer;
  readonly seq?: number;
  readonly change?: Partial<DirectorCustom>;
}

function forged(
  manifest: ReleaseManifest,
  { bytes = manifestBytes(manifest), seq = 2, change }: Forged = {},
) {
  const { model, profile, releaseCounter } = manifest;
  const path = releaseTargetPath(model, manifest.version, profile);
  const { custom } = orderOf({ path, bytes, releaseCounter }, EDGE, seq, { profile, ...change });
  const words = { ...encodeDirectorCustom(custom) };
  return { [path]: { length: bytes.length, sha256: digestOf(bytes), custom: words } };
}

async function direct(targets: ReturnType<typeof forged>): Promise<void> {
  await thief.serve(DIRECTOR, { version: (version += 1), targets, extra: { deviceId: EDGE } });
}
const refused = async (code: string, highestSeq = 0): Promise<void> =>
  await expect(scene.install(highestSeq)).rejects.toMatchObject({ name: 'HoldfastError', code });

it('chooses among the versions that authors signed', async () => {
  await direct(forged(SECOND));
  expect(await scene.install()).toEqual(SECOND);
});

it('installs nothing that no author signed', async () => {
  await direct(forged(THIRD));
  await refused('tuf-mismatch');
});

it('installs no other bytes under a signed path', async () => {
  await direct(forged(SECOND, { bytes: Buffer.from('evil') }));
  await refused('tuf-mismatch');
  await direct(forged(SECOND, { bytes: Buffer.alloc(manifestBytes(SECOND).length, 'e') }));
  await refused('tuf-mismatch');
});

it('installs nothing under another release counter than was signed', async () => {
  await direct(forged(SECOND, { change: { releaseCounter: 99 } }));
  await refused('tuf-mismatch');
});

it('installs nothing made for another profile or ordered for another device', async () => {
  await direct(forged(SECOND, { change: { profile: 'jetson-orin' } }));
  await refused('tuf-wrong-device');
  await direct(forged({ ...SECOND, profile: 'jetson-orin' }));
  await refused('tuf-wrong-device');
  await direct(forged({ ...SECOND, profile: 'jetson-orin' }, { change: { profile: SECOND.profile } }));
  await refused('tuf-mismatch');
  await direct(forged(SECOND, { change: { deviceId: 'edge-2' } }));
  await refused('tuf-wrong-device');
});

it('installs no release below the floor that authors signed', async () => {
  scene.image.say('team-digits', { floors: { digits: 2 } });
  scene.image.publish();
  await direct(forged(FIRST));
  await refused('tuf-below-floor');
});

it('replays no order', async () => {
  await direct(forged(FIRST, { seq: 1 }));
  await refused('tuf-rollback', 2);
});

it('uses up no order numbers, which would outlive the rotation of its keys', async () => {
  await direct(forged(FIRST, { seq: Number.MAX_SAFE_INTEGER }));
  await refused('tuf-mismatch');
});

it('orders neither two releases at once nor what cannot be read', async () => {
  await direct({ ...forged(FIRST), ...forged(SECOND) });
  await refused('tuf-mismatch');
  const [[path, entry] = ['', undefined]] = Object.entries(forged(SECOND));
  if (entry === undefined) throw new Error('no order');
  await direct({ [path]: { ...entry, custom: { ...entry.custom, policy: '{"mode":"yolo"}' } } });
  await refused('tuf-mismatch');
});

it.each([
  'digits/2/source/contract.json',
  'digits/2/candidates/0123456789abcdef.json',
  'constructor',
  '../x',
])('orders no %s, signed or not', async (path) => {
  const [entry] = Object.values(forged(SECOND));
  if (entry === undefined) throw new Error('no order');
  await direct(Object.fromEntries([[path, entry]]));
  await refused('tuf-mismatch');
});

it('installs nothing unsigned by a root of his own either', async () => {
  const keys = { timestamp: RoleKey.generate(), snapshot: RoleKey.generate() };
  await thief.serveRoot(DIRECTOR, 2, keys);
  await thief.serve(DIRECTOR, { version: 20, targets: forged(THIRD), extra: { deviceId: EDGE }, keys });
  await refused('tuf-mismatch');
  await thief.serve(DIRECTOR, { version: 21, targets: forged(SECOND), extra: { deviceId: EDGE }, keys });
  expect(await scene.install()).toEqual(SECOND);
});
