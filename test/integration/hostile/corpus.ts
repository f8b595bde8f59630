// The committed corpus of hostile input: what each folder's corpus.json lists. A row names a committed file, or the
// builder that makes one too large to commit; where it is fed; the code it must be refused with; and why.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ERROR_STATUS, type ErrorCode } from '#protocol/errors.ts';

const FOLDER = new URL('../../fixtures/hostile/', import.meta.url);

const rowSchema = z
  .strictObject({
    file: z.string().optional(),
    made: z.string().optional(),
    /** What is fed as it stands, for input of one line. */
    text: z.string().optional(),
    into: z.string(),
    /** `answered` for what is within all bounds, and must cost no more than its bounds say. */
    code: z.union([
      z.literal('answered'),
      z.custom<ErrorCode>((code) => Object.hasOwn(ERROR_STATUS, String(code))),
    ]),
    why: z.string(),
  })
  .refine(
    ({ file, made, text }) => [file, made, text].filter((source) => source !== undefined).length === 1,
    'one of file, made and text',
  );
export type HostileRow = z.output<typeof rowSchema>;
export type Builders = Readonly<Record<string, () => Uint8Array>>;

/** The rows of a folder that are fed to `into`. */
export function hostileRows(folder: string, into: string): HostileRow[] {
  const rows = z
    .array(rowSchema)
    .parse(JSON.parse(readFileSync(new URL(`${folder}/corpus.json`, FOLDER), 'utf8')));
  return rows.filter((row) => row.into.split(', ').includes(into));
}

/** The bytes of a row: its file, or what its builder makes. */
export function hostileBytes(
  folder: string,
  { file, made, text }: HostileRow,
  builders: Builders,
): Uint8Array {
  if (text !== undefined) return Buffer.from(text);
  if (file !== undefined) return readFileSync(new URL(`${folder}/${file}`, FOLDER));
  const build = builders[made ?? ''];
  if (build === undefined) throw new Error(`no builder makes ${made}`);
  return build();
}

/** Where a row's file lies. */
export function hostilePath(folder: string, name: string): URL {
  return new URL(`${folder}/${name}`, FOLDER);
}

export function nameOf({ file, made, text, into }: HostileRow): string {
  return `${file ?? made ?? text} into ${into}`;
}
