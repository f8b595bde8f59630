import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { copyFile, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { trustKeyOf } from '#control-plane/trust/keys/role-key.ts';
import { readPublicKey } from '#control-plane/trust/offline/key-input.ts';
import { signFolder, verifyFolder } from '#control-plane/trust/offline/model-signature.ts';
import type { ModelSignature } from '#protocol/model-signing.ts';
import { folderOf, REFERENCE_FOLDERS, REFERENCE_KEY, referenceFolder } from './signed-folder.ts';
import type { SignedFolder } from './signed-folder.ts';

const FILES = { 'contract.json': '{}', 'weights.onnx': 'weights', 'golden/a.safetensors': 'golden' };
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const keyOf = (key: KeyObject) => trustKeyOf(createPublicKey(key));

async function signed(key = privateKey): Promise<SignedFolder> {
  const folder = await folderOf(FILES);
  await writeFile(folder.signaturePath, JSON.stringify(await signFolder(folder, key)));
  return folder;
}

describe('signatures of the reference implementation', () => {
  it.each(REFERENCE_FOLDERS)('verify here: %s', async (name) => {
    await using folder = await referenceFolder(name);
    const key = await readPublicKey(fileURLToPath(REFERENCE_KEY));
    const { files } = await verifyFolder(folder, [key]);
    expect(files.has('.gitignore')).toBe(false);
    await writeFile(folder.path([...files.keys()][0] ?? ''), 'changed');
    await expect(verifyFolder(folder, [key])).rejects.toMatchObject({ code: 'signature-invalid' });
  });

  it.each(REFERENCE_FOLDERS)('list the same files in the same order as ours: %s', async (name) => {
    await using folder = await referenceFolder(name);
    const theirs = payloadOf(await readFile(folder.signaturePath, 'utf8'));
    const ours = payloadOf(JSON.stringify(await signFolder(folder, privateKey)));
    expect(ours.predicate.resources).toEqual(theirs.predicate.resources);
    expect(ours.subject[0]?.digest).toEqual(theirs.subject[0]?.digest);
  });
});

describe('our own signatures', () => {
  it.each(['ec', 'ed25519'])('verify with a key of kind %s, and survive a move', async (kind) => {
    const key = kind === 'ec' ? privateKey : generateKeyPairSync('ed25519').privateKey;
    await using folder = await signed(key);
    expect([...(await verifyFolder(folder, [keyOf(key)])).files.keys()]).toEqual(Object.keys(FILES).sort());
    await rename(folder.folder, `${folder.folder}-moved`);
    const moved = { ...folder, folder: `${folder.folder}-moved` };
    expect((await verifyFolder(moved, [keyOf(key)])).files.size).toBe(3);
  });

  it('may lie in the folder that they sign', async () => {
    await using folder = await folderOf(FILES);
    const inside = { ...folder, signaturePath: folder.path('model.sig') };
    await writeFile(inside.signaturePath, JSON.stringify(await signFolder(inside, privateKey)));
    expect((await verifyFolder(inside, [keyOf(privateKey)])).files.size).toBe(3);
  });

  it('are good when any of several keys made them', async () => {
    await using folder = await signed();
    const other = keyOf(generateKeyPairSync('ed25519').privateKey);
    expect((await verifyFolder(folder, [other, keyOf(privateKey)])).files.size).toBe(3);
    await expect(verifyFolder(folder, [other])).rejects.toMatchObject({
      code: 'signature-invalid',
      message: expect.stringContaining('another key') as string,
    });
    await expect(verifyFolder(folder, [])).rejects.toMatchObject({ code: 'signature-invalid' });
  });
});

describe('a folder is refused', () => {
  const cases: Record<string, [change: (folder: SignedFolder) => Promise<unknown>, says: string]> = {
    'with a changed file': [
      (folder) => writeFile(folder.path('weights.onnx'), 'Weights'),
      'weights.onnx was changed',
    ],
    'without one': [(folder) => rm(folder.path('weights.onnx')), 'weights.onnx is missing'],
    'with one more': [
      (folder) => writeFile(folder.path('golden/extra'), 'extra'),
      'golden/extra is not signed',
    ],
    'with a copy of one': [
      (folder) => copyFile(folder.path('weights.onnx'), folder.path('copy.onnx')),
      'copy.onnx is not signed',
    ],
    'with one renamed': [
      (folder) => rename(folder.path('weights.onnx'), folder.path('w.onnx')),
      'weights.onnx is called w.onnx now',
    ],
    'with a link in place of one': [
      async (folder) => {
        await rename(folder.path('weights.onnx'), `${folder.folder}.onnx`);
        await symlink(`${folder.folder}.onnx`, folder.path('weights.onnx'));
      },
      'is a symbolic link',
    ],
    'with a link to a folder': [
      (folder) => symlink(folder.path('golden'), folder.path('more')),
      'is a symbolic link',
    ],
  };
  it.each(Object.keys(cases))('%s', async (name) => {
    const [change, says] = cases[name] ?? [() => Promise.reject(new Error(name)), ''];
    await using folder = await signed();
    await change(folder);
    await expect(verifyFolder(folder, [keyOf(privateKey)])).rejects.toMatchObject({
      code: 'signature-invalid',
      message: expect.stringContaining(says) as string,
    });
  });

  it('that holds a link, or nothing, when it is to be signed', async () => {
    await using folder = await folderOf(FILES);
    await symlink('/etc/hostname', folder.path('link'));
    await expect(signFolder(folder, privateKey)).rejects.toMatchObject({ code: 'signature-invalid' });
    await using empty = await folderOf({ '.gitignore': '*' });
    await expect(signFolder(empty, privateKey)).rejects.toMatchObject({ code: 'bad-request' });
    await expect(signFolder({ ...empty, folder: '/nowhere' }, privateKey)).rejects.toMatchObject({
      code: 'bad-request',
    });
  });

  it('whose signature is cut off, no JSON or not there', async () => {
    await using folder = await signed();
    const text = await readFile(folder.signaturePath, 'utf8');
    for (const wrong of ['', text.slice(0, -10), '[]', 'null']) {
      await writeFile(folder.signaturePath, wrong);
      const answer = verifyFolder(folder, [keyOf(privateKey)]);
      await expect(answer, wrong).rejects.toMatchObject({ code: 'signature-invalid' });
    }
    await rm(folder.signaturePath);
    await expect(verifyFolder(folder, [keyOf(privateKey)])).rejects.toMatchObject({ code: 'bad-request' });
  });
});

interface Payload {
  readonly subject: readonly { readonly digest: unknown }[];
  readonly predicate: { readonly resources: unknown };
}

function payloadOf(bundle: string): Payload {
  const { dsseEnvelope } = JSON.parse(bundle) as ModelSignature;
  return JSON.parse(Buffer.from(dsseEnvelope.payload, 'base64').toString('utf8')) as Payload;
}
