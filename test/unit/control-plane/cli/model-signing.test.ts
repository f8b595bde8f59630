// `holdfast model sign|verify` on files, without a control plane.

import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { holdfastProgram } from '#control-plane/cli/program.ts';
import { createKey } from '#control-plane/trust/offline/create-key.ts';
import { folderOf, type SignedFolder } from '#test/unit/control-plane/trust/offline/signed-folder.ts';

const FILES = { 'weights.onnx': 'weights', 'a/b.txt': 'text' };
const PASSPHRASE = 'four words of mine';

async function holdfast(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  let said = '';
  await holdfastProgram({
    env,
    write: (text) => (said += text),
    writeAside: () => undefined,
    signal: new AbortController().signal,
    setExitCode: () => undefined,
  }).parseAsync(args, { from: 'user' });
  return said;
}

const sign = ({ folder, signaturePath }: SignedFolder, key: string, ...rest: string[]) => [
  'model',
  'sign',
  '--files',
  folder,
  '--key',
  key,
  '--out',
  signaturePath,
  ...rest,
];
const verify = ({ folder, signaturePath }: SignedFolder, key: string) =>
  ['model', 'verify', '--files', folder, '--key', key, '--signature', signaturePath]; // prettier-ignore

describe('signing files', () => {
  it('takes a sealed key file, and its public part to verify', async () => {
    await using model = await folderOf(FILES);
    const made = { scheme: 'ecdsa-sha2-nistp256', passphrase: PASSPHRASE, owner: 'Alice' } as const;
    const { text, key: publicKey } = await createKey(made);
    const [key, publicPath] = [`${model.folder}.key.json`, `${model.folder}.public.json`];
    await writeFile(key, text);
    await writeFile(publicPath, JSON.stringify(publicKey));
    await expect(holdfast(sign(model, key))).rejects.toMatchObject({ code: 'bad-config' });
    const wrong = holdfast(sign(model, key), { HOLDFAST_KEY_PASSPHRASE: 'another' });
    await expect(wrong).rejects.toMatchObject({ code: 'passphrase-wrong' });
    const passphraseFile = join(`${model.folder}.passphrase`);
    await writeFile(passphraseFile, `${PASSPHRASE}\n`);
    await holdfast(sign(model, key, '--passphrase-file', passphraseFile));
    expect(await holdfast(verify(model, key))).toMatch(
      /^2 files.*of Alice:\n.*a\/b\.txt\n.*weights\.onnx\n$/s,
    );
  });

  it('takes PKCS#8 PEM, also encrypted', async () => {
    await using model = await folderOf(FILES);
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const [key, publicPath] = [`${model.folder}.pem`, `${model.folder}.public.pem`];
    const cipher = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE };
    await writeFile(publicPath, publicKey.export({ type: 'spki', format: 'pem' }));
    for (const options of [{}, cipher]) {
      await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem', ...options }));
      await holdfast(sign(model, key), { HOLDFAST_KEY_PASSPHRASE: PASSPHRASE });
      expect(await holdfast(verify(model, publicPath))).toContain('2 files');
    }
  });

  it('refuses other kinds of keys, and says what is missing', async () => {
    await using model = await folderOf(FILES);
    const key = `${model.folder}.pem`;
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await expect(holdfast(sign(model, key))).rejects.toMatchObject({ code: 'key-invalid' });
    await expect(readFile(model.signaturePath)).rejects.toMatchObject({ code: 'ENOENT' });
    for (const args of [
      ['model', 'sign'],
      ['model', 'sign', 'digits'],
      ['model', 'sign', '--files', model.folder],
    ]) {
      await expect(holdfast(args)).rejects.toMatchObject({ code: 'bad-request' });
    }
  });
});
