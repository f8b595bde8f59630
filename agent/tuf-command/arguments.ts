// The arguments of `holdfast-tuf`, after the client protocol of the public TUF conformance suite. Pure.

import { parseArgs } from 'node:util';
import { HoldfastError } from '#protocol/errors.ts';

export const USAGE = `holdfast-tuf: a TUF client, the one that Holdfast's agent has

  holdfast-tuf --metadata-dir DIR init ROOT
  holdfast-tuf --metadata-dir DIR --metadata-url URL refresh
  holdfast-tuf --metadata-dir DIR --metadata-url URL --target-name PATH --target-base-url URL --target-dir DIR download

It ends with 0, or with 1 when any part of what was asked failed.
`;

export type TufCommand =
  | { readonly name: 'help' }
  | { readonly name: 'init'; readonly metadataDir: string; readonly rootPath: string }
  | { readonly name: 'refresh'; readonly metadataDir: string; readonly metadataUrl: string }
  | {
      readonly name: 'download';
      readonly metadataDir: string;
      readonly metadataUrl: string;
      readonly targetName: string;
      readonly targetUrl: string;
      readonly targetDir: string;
    };

const STRING = { type: 'string' } as const;

/** Errors: `bad-config`. URLs come back normalized and end with a slash. */
export function readArguments(argv: readonly string[]): TufCommand {
  const { values, positionals } = parse(argv);
  if (values.help === true) return { name: 'help' };
  const need = (name: keyof typeof values): string => {
    const value = values[name];
    if (typeof value !== 'string' || value === '') throw wrong(`--${name} is missing`);
    return value;
  };
  const [name, ...rest] = positionals;
  const metadataDir = need('metadata-dir');
  if (name === 'init' && rest.length === 1) return { name, metadataDir, rootPath: rest[0] ?? '' };
  if (rest.length > 0) throw wrong(`there is nothing to do with ${rest.join(' ')}`);
  if (name !== 'refresh' && name !== 'download')
    throw wrong('one of init ROOT, refresh and download is asked for');
  const metadataUrl = baseUrl(need('metadata-url'));
  if (name === 'refresh') return { name, metadataDir, metadataUrl };
  return {
    name,
    metadataDir,
    metadataUrl,
    targetName: need('target-name'),
    targetUrl: baseUrl(need('target-base-url')),
    targetDir: need('target-dir'),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        'metadata-dir': STRING,
        'metadata-url': STRING,
        'target-name': STRING,
        'target-base-url': STRING,
        'target-dir': STRING,
      },
    });
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error), error);
  }
}

function baseUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw wrong(`${text} is no http or https base address`);
  }
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}

function wrong(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('bad-config', what, { hint: 'See holdfast-tuf --help.', cause });
}
