// Makes docs/access.md from the OpenAPI document: who may do what. Written by write-openapi.ts.

export interface OperationAccess {
  readonly method: string;
  /** As in the document: `/api/v1/devices/{id}`. */
  readonly path: string;
  readonly summary: string;
  /** `public`, or the least role. */
  readonly role: string;
  /** Whether a grant that is narrowed may be enough. */
  readonly isNarrowed: boolean;
}

interface Operation {
  readonly summary: string;
  readonly 'x-holdfast-role': string;
  readonly 'x-holdfast-narrowed': boolean;
}

const HEAD = `# Who may do what

Made by \`node test/build/write-openapi.ts\` from the operations' own declarations. A role may do all that those before it may:
\`viewer\`, \`operator\`, \`releaser\`, \`admin\`. \`public\` needs no credentials.

A grant is a role, on everything or narrowed to teams (\`--team\`), to a group of devices (\`--group\`), or to both. A narrowed grant
is good only where something it names is touched, and all that it names of what is touched must match. A rollout touches
its model's team and every device in it, so that \`--role releaser --team vision --group site=berlin\` imports models of
\`vision\`, looks after devices in Berlin, and takes models of \`vision\` to devices in Berlin. Lists and live events leave out
what a narrowed grant does not cover. Where the last column says no, only a grant on everything will do.

| operation | least role | narrowed | what it does |
|---|---|---|---|
`;

/** Every operation of a document, by path and method. */
export function operationsOf(document: unknown): OperationAccess[] {
  const { paths } = document as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        summary: operation.summary,
        role: operation['x-holdfast-role'],
        isNarrowed: operation['x-holdfast-narrowed'],
      })),
    )
    .sort((a, b) => (a.path + a.method < b.path + b.method ? -1 : 1));
}

export function accessPage(document: unknown): string {
  const rows = operationsOf(document).map(({ method, path, role, isNarrowed, summary }) => {
    const narrowed = role === 'public' ? '–' : isNarrowed ? 'yes' : 'no';
    return `| \`${method} ${path.replace('/api/v1', '')}\` | ${role} | ${narrowed} | ${summary} |`;
  });
  return `${HEAD}${rows.join('\n')}\n`;
}
