// A whole control plane on PostgreSQL: it keeps nothing of the fleet's state in its folder but keys,
// blobs and metadata.

import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '#control-plane/config.ts';
import { createLogger } from '#control-plane/logger.ts';
import { startControlPlane } from '#control-plane/start-control-plane.ts';
import { skipWithout } from '#test/skip-reason.ts';
import { postgresFound, startPostgres, type ThrowawayPostgres } from '#test/throwaway-postgres.ts';

describe.skipIf(skipWithout('PostgreSQL', postgresFound(), 'install it, or set HOLDFAST_TEST_DATABASE_URL'))(
  'a control plane on PostgreSQL',
  () => {
    let postgres: ThrowawayPostgres;
    let dataDir: string;
    beforeAll(async () => {
      postgres = await startPostgres();
      dataDir = await mkdtemp(join(tmpdir(), 'holdfast-plane-'));
    });
    afterAll(async () => {
      await postgres[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    });

    const start = (databaseUrl: string) =>
      startControlPlane({
        config: readConfig(
          ['--http-port', '0', '--mqtt-port', '0', '--gateway-port', '0', '--data-dir', dataDir],
          { DATABASE_URL: databaseUrl },
          '1.2.3',
        ),
        log: createLogger({ level: 'silent', write: () => undefined }),
        packageVersion: '1.2.3',
      });

    it('serves every list, remembers over a restart, and leaves no SQLite database', async () => {
      const databaseUrl = await postgres.newDatabase();
      const call = async (url: string, path: string, body?: unknown): Promise<unknown> => {
        const token = (await readFile(join(dataDir, 'admin-token'), 'utf8')).trim();
        const answer = await fetch(`${url}/api/v1${path}`, {
          method: body === undefined ? 'GET' : 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        expect(answer.status, path).toBeLessThan(300);
        return answer.json();
      };
      {
        await using plane = await start(databaseUrl);
        await call(plane.httpUrl, '/claims', { deviceId: 'edge-1' });
        for (const path of ['/devices', '/models', '/rollouts', '/telemetry']) {
          expect(await call(plane.httpUrl, path)).toEqual({ items: [] });
        }
      }
      await using plane = await start(databaseUrl);
      expect(await call(plane.httpUrl, '/audit')).toMatchObject({ items: [{ action: 'claim.create' }] });
      expect(await call(plane.httpUrl, '/audit/check')).toMatchObject({ ok: true, entries: 1 });
      expect(await readdir(dataDir)).not.toContain('holdfast.db');
    });
  },
);
