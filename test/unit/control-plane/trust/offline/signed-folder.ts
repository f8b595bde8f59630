// Folders to sign, and the ones that the reference implementation signed (test/fixtures/model-signing).

import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';

/** Another folder than the committed one when the fixtures are being checked. */
const made = process.env['HOLDFAST_MODEL_SIGNING_FIXTURES'];
const FIXTURES =
  made === undefined
    ? new URL('../../../../fixtures/model-signing/', import.meta.url)
    : pathToFileURL(`${made}/`);
const filesSchema = z.record(z.string(), z.record(z.string(), z.base64()));

export const REFERENCE_KEY = new URL('public.pem', FIXTURES);
export const REFERENCE_FOLDERS = ['plain', 'names'] as const;

export interface SignedFolder extends AsyncDisposable {
  /** The files of the model. */
  readonly folder: string;
  /** Beside the folder, where its signature goes or lies. */
  readonly signaturePath: string;
  /** A path in the folder. */
  readonly path: (name: string) => string;
}

/** A folder model/ with these files in a temporary one. */
export async function folderOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<SignedFolder> {
  const temporary = await mkdtempDisposable(join(tmpdir(), 'holdfast-signed-'));
  const folder = join(temporary.path, 'model');
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return {
    folder,
    signaturePath: join(temporary.path, 'model.sig'),
    path: (name) => join(folder, name),
    [Symbol.asyncDispose]: () => temporary.remove(),
  };
}

/** Files that the reference implementation signed, with its signature. */
export async function referenceFolder(name: (typeof REFERENCE_FOLDERS)[number]): Promise<SignedFolder> {
  const files = filesSchema.parse(JSON.parse(await readFile(new URL('files.json', FIXTURES), 'utf8')));
  const folder = await folderOf(
    Object.fromEntries(
      Object.entries(files[name] ?? {}).map(([path, text]) => [path, Buffer.from(text, 'base64')]),
    ),
  );
  await writeFile(folder.signaturePath, await readFile(new URL(`${name}.sig`, FIXTURES)));
  return folder;
}
