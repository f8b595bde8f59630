// A fleet that began with the quick start is put into people's hands by the command line alone, beside a device that
// is never installed again: keys leave the control plane, a team signs, keys are rotated, and the device follows.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { holdfastProgram } from '#control-plane/cli/program.ts';
import { deviceSchema, modelVersionDetailSchema } from '#protocol/api.ts';
import { rolloutSchema } from '#protocol/rollout.ts';
import { trustOutcomeSchema, trustStatusSchema, type TrustRole } from '#protocol/trust.ts';
import { compressVersion, importVersion, uploadDatasets } from '#test/demo/digits-assets.ts';
import { DemoFleet } from '#test/demo/fleet.ts';
import { until } from '#test/demo/steps.ts';

const MODELS = new URL('../fixtures/models/digits/', import.meta.url);
const PROFILE = 'cpu-generic';
const PEOPLE = ['ada', 'ben', 'cleo', 'dan', 'team'] as const;

describe('a ceremony', { timeout: 240_000 }, () => {
  let folder: string;
  let fleet: DemoFleet;
  let said: string;
  let told: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-ceremony-'));
    fleet = new DemoFleet(folder);
    await fleet.startPlane();
    await fleet.startAgent('edge-1', PROFILE);
  }, 120_000);

  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const key = (person: string) => join(folder, `${person}.json`);

  async function holdfast(...args: string[]): Promise<void> {
    said = '';
    told = '';
    await holdfastProgram({
      env: {
        HOLDFAST_SERVER: fleet.server,
        HOLDFAST_TOKEN: fleet.token,
        HOLDFAST_KEY_PASSPHRASE: 'correct horse battery',
      },
      write: (text) => (said += text),
      writeAside: (text) => (told += text),
      signal: new AbortController().signal,
      setExitCode: () => undefined,
    }).parseAsync(args, { from: 'user' });
  }

  async function role(repository: string, name: string): Promise<TrustRole> {
    const { repositories } = await fleet.api().get('/trust', trustStatusSchema);
    const found = repositories
      .find((one) => one.repository === repository)
      ?.roles.find((one) => one.role === name);
    if (found === undefined) throw new Error(`${repository} has no role ${name}`);
    return found;
  }

  /** Imports a version as its author does, and has it compressed. */
  async function prepare(version: number): Promise<void> {
    const [contract, weights, golden] = ['contract.json', 'weights.onnx', 'golden.safetensors'].map((name) =>
      fileURLToPath(new URL(`v${version}/${name}`, MODELS)),
    ) as [string, string, string];
    await holdfast(
      'model', 'import', '--contract', contract, '--weights', weights, '--golden', golden,
      '--version', String(version), '--sign-key', key('team'),
    ); // prettier-ignore
    const datasets = await uploadDatasets(fleet.api());
    const poll = <T>(look: () => Promise<T | null>) => until('the compression', look);
    await compressVersion(fleet.api(), version, [PROFILE], datasets, poll, () => undefined);
  }

  async function rollOut(version: number): Promise<void> {
    const body = {
      model: 'digits', version,
      waves: [{ size: { percent: 100 }, soakMs: 0 }],
      policy: { mode: 'direct', probationMs: 0 },
    }; // prettier-ignore
    const { id } = await fleet.api().post('/rollouts', { body, answer: rolloutSchema });
    await until(`the rollout of version ${version}`, async () => {
      const { phase, reason } = await fleet.api().get(`/rollouts/${id}`, rolloutSchema);
      if (phase !== 'completed' && phase !== 'progressing') throw new Error(`${phase}: ${reason ?? ''}`);
      return phase === 'completed' ? true : null;
    });
    await until(`version ${version} on the device`, async () => {
      const { reported } = await fleet.api().get('/devices/edge-1', deviceSchema);
      return reported?.active?.version === version ? true : null;
    });
  }

  it('begins with a control plane that holds every key and says so', async () => {
    expect((await role('image', 'targets')).keys.map(({ isHeld }) => isHeld)).toEqual([true]);
    await holdfast('trust', 'status');
    expect(said).toMatch(/^! .*trust init/m);
  });

  it('makes keys that lie sealed with their owners', async () => {
    for (const person of PEOPLE) {
      await holdfast(
        'trust',
        'create-key',
        key(person),
        '--owner',
        person,
        '--public',
        join(folder, `${person}.pub`),
      );
    }
    await expect(holdfast('trust', 'create-key', key('ada'))).rejects.toThrow('cannot be written');
  });

  it('takes root and targets out of the control plane, once enough people signed', async () => {
    await holdfast(
      'trust', 'init',
      '--root', join(folder, 'ada.pub'), '--root', join(folder, 'ben.pub'),
      '--targets', join(folder, 'cleo.pub'), '--targets', join(folder, 'dan.pub'),
    ); // prettier-ignore
    await holdfast('trust', 'sign', 'root', '--key', key('ada'));
    expect(told).toContain('all of it, since this key did not sign the version before');
    expect((await role('image', 'root')).staged?.missing).toBe(1);
    await expect(holdfast('trust', 'sign', 'root', '--key', key('cleo'))).rejects.toThrow(
      'does not ask for key',
    );
    await holdfast('trust', 'sign', 'root', '--key', key('ben'));
    for (const person of ['ada', 'ben']) {
      await holdfast('trust', 'sign', 'root', '--repository', 'director', '--key', key(person));
    }
    for (const person of ['cleo', 'dan']) await holdfast('trust', 'sign', 'targets', '--key', key(person));
    for (const [repository, name] of [
      ['image', 'root'],
      ['image', 'targets'],
      ['director', 'root'],
    ] as const) {
      const now = await role(repository, name);
      expect(now.keys.map(({ isHeld }) => isHeld)).toEqual([false, false]);
      expect(now.threshold).toBe(2);
      expect(now.staged).toBeNull();
    }
    const held = await readdir(join(fleet.dataDir, 'trust', 'keys'));
    expect(held.filter((name) => /root|image-targets/.test(name))).toEqual([]);
  });

  it('gives a team its names, signed on a machine without network', async () => {
    await holdfast(
      'trust', 'team', 'digits', '--models', 'digits', '--key', join(folder, 'team.pub'), '--author-signature', 'device',
    ); // prettier-ignore
    await holdfast('trust', 'export', 'targets', '--out', join(folder, 'staged.json'));
    for (const person of ['cleo', 'dan']) {
      const signature = join(folder, `${person}.sig`);
      await holdfast(
        'trust',
        'sign-file',
        '--in',
        join(folder, 'staged.json'),
        '--key',
        key(person),
        '--out',
        signature,
      );
      expect(told).toContain('+ delegation team-digits: 1 of 1 keys');
      expect(told).toContain('what changes');
      await holdfast('trust', 'send', signature);
    }
    expect((await role('image', 'team-digits')).models).toEqual(['digits']);
  });

  it('releases nothing of a team without the team', async () => {
    await expect(importVersion(fleet.api(), 1)).rejects.toThrow(/signature/);
  });

  it('releases what the team signed, and the device that enrolled before installs it', async () => {
    await prepare(1);
    await holdfast('model', 'sign', 'digits', '--version', '1', '--key', key('team'));
    const { variants } = await fleet.api().get('/models/digits/versions/1', modelVersionDetailSchema);
    expect(variants.map(({ manifestSha256 }) => manifestSha256 !== null)).toEqual([true]);
    await rollOut(1);
  });

  it('rotates the keys of the control plane, and the device follows', async () => {
    const before = (await role('image', 'timestamp')).keys[0]?.keyId;
    await holdfast('trust', 'rotate', 'timestamp');
    for (const person of ['ada', 'ben']) await holdfast('trust', 'sign', 'root', '--key', key(person));
    await holdfast('trust', 'rotate', 'timestamp', '--repository', 'director');
    for (const person of ['ada', 'ben']) {
      await holdfast('trust', 'sign', 'root', '--repository', 'director', '--key', key(person));
    }
    expect((await role('image', 'timestamp')).keys[0]?.keyId).not.toBe(before);
    await prepare(4);
    await holdfast('model', 'sign', 'digits', '--version', '4', '--key', key('team'));
    await rollOut(4);
  });

  it('leaves the control plane unable to sign for people', async () => {
    const floor = { kind: 'floor', model: 'digits', releaseCounter: 2 };
    await fleet.api().post('/trust/image/changes', { body: floor, answer: trustOutcomeSchema });
    expect((await role('image', 'targets')).staged?.missing).toBe(2);
  });
});
