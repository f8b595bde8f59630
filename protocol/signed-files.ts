// The statement that an author signs over the files of a model: their digests and a digest over those. Pure: who calls
// brings sha256. Invariant: every path is relative and plain, and named once.
// Source: OpenSSF Model Signing v1.0 (serialization by files); in-toto Statement v1.

import { z } from 'zod';
import { payloadJson, STATEMENT_TYPE } from './dsse.ts';
import { HoldfastError } from './errors.ts';
import { sha256Schema } from './identifiers.ts';

export const MODEL_SIGNATURE_TYPE = 'https://model_signing/signature/v1.0';
/** The most files that one signature lists. */
export const MAX_SIGNED_FILES = 20_000;

const pathSchema = z.string().min(1).max(4_096).refine(isPlainPath, 'a path must be relative and plain');

const statementSchema = z.object({
  subject: z
    .array(z.object({ name: z.string().max(1_000), digest: z.object({ sha256: sha256Schema }) }))
    .length(1),
  predicate: z.object({
    serialization: z.object({
      method: z.literal('files'),
      hash_type: z.literal('sha256'),
      allow_symlinks: z.literal(false),
      ignore_paths: z.array(pathSchema).max(1_000).default([]),
    }),
    resources: z
      .array(z.object({ name: pathSchema, algorithm: z.literal('sha256'), digest: sha256Schema }))
      .min(1)
      .max(MAX_SIGNED_FILES),
  }),
});

/** Digests of files by their path below the folder. */
export type FileDigests = ReadonlyMap<string, string>;

export interface SignedFiles {
  /** Whatever the signer called the model; no more than a remark. */
  readonly name: string;
  readonly files: FileDigests;
  /** Paths that the signature does not speak of, with all below them. */
  readonly ignoredPaths: readonly string[];
}

/** sha256 of bytes as hex. */
export type Sha256 = (bytes: Uint8Array) => string;

/** The payload that authors sign over these files. Canonical order: by the parts of the path, in code points. */
export function modelStatement(signed: SignedFiles, sha256: Sha256): unknown {
  const resources = [...signed.files]
    .map(([name, digest]) => ({ name, algorithm: 'sha256' as const, digest }))
    .sort((a, b) => comparePaths(a.name, b.name));
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: signed.name, digest: { sha256: rootDigest(resources, sha256) } }],
    predicateType: MODEL_SIGNATURE_TYPE,
    predicate: {
      serialization: {
        method: 'files',
        hash_type: 'sha256',
        allow_symlinks: false,
        ignore_paths: signed.ignoredPaths,
      },
      resources,
    },
  };
}

/** What a verified payload says. Errors: `signature-invalid`. */
export function readStatement(payload: Uint8Array, sha256: Sha256): SignedFiles {
  const json = parsePayload(payload);
  const kind = z.object({ _type: z.string(), predicateType: z.string() }).safeParse(json).data;
  if (kind?._type !== STATEMENT_TYPE)
    throw signatureInvalid(`signs no in-toto statement (${kind?._type ?? 'no type'})`);
  if (kind.predicateType !== MODEL_SIGNATURE_TYPE) {
    throw signatureInvalid(`is over a statement of another kind (${kind.predicateType})`);
  }
  const parsed = statementSchema.safeParse(json);
  if (!parsed.success) {
    throw signatureInvalid(
      `signs a statement that cannot be used: ${z.prettifyError(parsed.error).slice(0, 500)}`,
      parsed.error,
    );
  }
  const { subject, predicate } = parsed.data;
  const { resources, serialization } = predicate;
  if (rootDigest(resources, sha256) !== subject[0]?.digest.sha256) {
    throw signatureInvalid('contradicts itself: its digest is not that of its files');
  }
  const files = new Map(resources.map(({ name, digest }) => [name, digest]));
  if (files.size !== resources.length) throw signatureInvalid('names a file twice');
  return { name: subject[0].name, files, ignoredPaths: serialization.ignore_paths };
}

/** Throws `signature-invalid` with every file that differs, is missing, or that nobody signed. */
export function assertSignedFiles({ files }: SignedFiles, actual: FileDigests): void {
  const missing = [...files].filter(([name]) => !actual.has(name));
  const extra = [...actual].filter(([name]) => !files.has(name));
  const changed = [...files].filter(([name, digest]) => actual.has(name) && actual.get(name) !== digest);
  const lost = new Set(missing.map(([, digest]) => digest));
  const renamedTo = new Map(extra.map(([name, digest]) => [digest, name]));
  const wrong = [
    ...changed.map(([name]) => `${name} was changed`),
    ...missing.map(([name, digest]) => {
      const now = renamedTo.get(digest);
      return now === undefined ? `${name} is missing` : `${name} is called ${now} now`;
    }),
    ...extra.filter(([, digest]) => !lost.has(digest)).map(([name]) => `${name} is not signed`),
  ];
  if (wrong.length === 0) return;
  const shown = wrong.slice(0, 10).join('; ');
  throw signatureInvalid(
    `is not over these files: ${shown}${wrong.length > 10 ? `; ${wrong.length - 10} more` : ''}`,
  );
}

function parsePayload(payload: Uint8Array): unknown {
  try {
    return payloadJson(payload);
  } catch (cause) {
    throw signatureInvalid('signs what is not JSON', cause);
  }
}

/** sha256 over the files' raw digests, in the order in which they are listed. */
function rootDigest(resources: readonly { readonly digest: string }[], sha256: Sha256): string {
  const bytes = new Uint8Array(resources.length * 32);
  for (const [index, { digest }] of resources.entries()) {
    for (let at = 0; at < 32; at++)
      bytes[index * 32 + at] = Number.parseInt(digest.slice(at * 2, at * 2 + 2), 16);
  }
  return sha256(bytes);
}

function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (const [index, part] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const order = compareCodePoints(part, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareCodePoints(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  const at = left.findIndex((character, index) => character !== right[index]);
  if (at === -1) return left.length - right.length;
  return (left[at]?.codePointAt(0) ?? -1) - (right[at]?.codePointAt(0) ?? -1);
}

function isPlainPath(path: string): boolean {
  return (
    !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/** `what` goes on "the model signature ...". */
export function signatureInvalid(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('signature-invalid', `the model signature ${what}`, {
    hint: 'sign the very files again, with `holdfast model sign --files DIR --key FILE`',
    cause,
  });
}
