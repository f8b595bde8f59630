// Every operation that a whole control plane has, asked by nobody, by every role, and by a token narrowed to what does
// not exist: let in or refused exactly as docs/access.md says.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '#control-plane/config.ts';
import { createLogger } from '#control-plane/logger.ts';
import { startControlPlane, type RunningControlPlane } from '#control-plane/start-control-plane.ts';
import { ACCESS_ROLES, type Grant } from '#protocol/access.ts';
import { newApiTokenSchema } from '#protocol/operators.ts';
import { accessPage, operationsOf, type OperationAccess } from '#test/build/access-page.ts';

const NARROW: Grant = { role: 'admin', teams: ['nobody'], group: { site: 'nowhere' } };
let dataDir: string;
let plane: RunningControlPlane;
let document: unknown;
let operations: OperationAccess[];
const tokens = new Map<string, string>();

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'holdfast-access-'));
  const flags = ['--http-port', '0', '--mqtt-port', '0', '--gateway-port', '0', '--data-dir', dataDir];
  plane = await startControlPlane({
    config: readConfig(flags, {}, '1.2.3'),
    log: createLogger({ level: 'silent', write: () => undefined }),
    packageVersion: '1.2.3',
  });
  document = await (await fetch(`${plane.httpUrl}/api/v1/openapi.json`)).json();
  operations = operationsOf(document);
  const admin = (await readFile(plane.adminToken.path, 'utf8')).trim();
  for (const [name, grant] of [
    ...ACCESS_ROLES.map((role) => [role, { role }] as const),
    ['narrow', NARROW] as const,
  ]) {
    const answer = await fetch(`${plane.httpUrl}/api/v1/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: `walk-${name}`, grants: [grant] }),
    });
    tokens.set(name, newApiTokenSchema.parse(await answer.json()).token);
  }
});
afterAll(async () => {
  await plane[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

const PLACEHOLDERS: Readonly<Record<string, string>> = { sha256: '0'.repeat(64), version: '1' };

/** Status and code of an operation on things that do not exist. */
async function ask({ method, path }: OperationAccess, who: string | null) {
  const stop = new AbortController();
  const answer = await fetch(
    plane.httpUrl + path.replace(/\{(\w+)\}/g, (_, name: string) => PLACEHOLDERS[name] ?? 'none-such'),
    {
      method,
      redirect: 'manual',
      signal: stop.signal,
      headers: {
        ...(who === null ? {} : { authorization: `Bearer ${tokens.get(who) ?? ''}` }),
        ...(method === 'GET' || method === 'HEAD' ? {} : { 'content-type': 'application/json' }),
      },
      ...(method === 'POST' || method === 'PUT' ? { body: '{}' } : {}),
    },
  );
  const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json') === true;
  const body: unknown = isProblem && method !== 'HEAD' ? await answer.json() : null;
  stop.abort();
  return { status: answer.status, code: (body as { code?: string } | null)?.code ?? null };
}

describe('access', () => {
  it('is decided for every operation, and docs/access.md says how', async () => {
    // When this fails: look at the new operation's role, then node test/build/write-openapi.ts
    const written = await readFile(new URL('../../../docs/access.md', import.meta.url), 'utf8');
    expect(written).toBe(accessPage(document));
    for (const { role } of operations) expect(['public', ...ACCESS_ROLES]).toContain(role);
  });

  it('needs credentials wherever it is not public', async () => {
    const refused = [];
    for (const operation of operations) {
      if ((await ask(operation, null)).status === 401) refused.push(operation);
    }
    expect(refused).toEqual(operations.filter(({ role }) => role !== 'public'));
  });

  it.each(ACCESS_ROLES)('lets the role %s do what it may, and nothing else', async (who) => {
    const rank = (role: string) => ACCESS_ROLES.findIndex((one) => one === role);
    for (const operation of operations.filter(({ path }) => !path.endsWith('/session'))) {
      const { status, code } = await ask(operation, who);
      const name = `${who}: ${operation.method} ${operation.path} answered ${status} ${code ?? ''}`;
      expect(status, name).not.toBe(401);
      if (rank(who) < rank(operation.role)) expect(status, name).toBe(403);
      else expect(operation.method === 'HEAD' ? status === 403 : code === 'forbidden', name).toBe(false);
    }
  });

  it('refuses a narrowed grant wherever nothing it names is touched', async () => {
    for (const operation of operations.filter(({ role }) => role !== 'public')) {
      const { status } = await ask(operation, 'narrow');
      const name = `${operation.method} ${operation.path} answered ${status}`;
      if (!operation.isNarrowed) expect(status, name).toBe(403);
      else if (/\/(?:models|devices)\/\{/.test(operation.path))
        expect([400, 403, 422], name).toContain(status);
    }
  });

  it('shows a narrowed grant lists without what it does not cover', async () => {
    for (const path of ['/devices', '/models', '/rollouts', '/telemetry']) {
      const headers = { authorization: `Bearer ${tokens.get('narrow') ?? ''}` };
      expect(await (await fetch(`${plane.httpUrl}/api/v1${path}`, { headers })).json()).toEqual({
        items: [],
      });
    }
  });
});
