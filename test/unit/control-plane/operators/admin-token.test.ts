import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureAdminToken } from '#control-plane/operators/admin-token.ts';
import { Sessions } from '#control-plane/operators/sessions.ts';
import { ApiTokens } from '#control-plane/operators/tokens.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import { temporaryStore, type TemporaryStore } from '#test/temporary-store.ts';

let temporary: TemporaryStore;
let tokens: ApiTokens;
let path: string;
beforeEach(async () => {
  temporary = await temporaryStore();
  const { store } = temporary;
  tokens = new ApiTokens({ store, audit: createAudit(store), nowMs: Date.now });
  path = join(temporary.dataDir, 'admin-token');
});
afterEach(() => temporary[Symbol.asyncDispose]());

const ensure = () => ensureAdminToken(temporary.store, temporary.dataDir);
const written = async () => (await readFile(path, 'utf8')).trim();

describe('the admin token', () => {
  it('is made once, stays, and may everything for ever', async () => {
    expect(await ensure()).toEqual({ path, made: true });
    const token = await written();
    expect(await ensure()).toEqual({ path, made: false });
    expect(await written()).toBe(token);
    expect(await tokens.find(token)).toMatchObject({
      id: 'admin', name: 'admin', grants: [{ role: 'admin' }], createdBy: 'system', expiresAtMs: null,
    }); // prettier-ignore
  });

  it('that a crash left in its file only is taken over', async () => {
    const token = `hft_${'a'.repeat(43)}`;
    await writeFile(path, `${token}\n`);
    expect(await ensure()).toEqual({ path, made: true });
    expect(await written()).toBe(token);
    expect(await tokens.find(token)).not.toBeNull();
  });

  it('whose file was deleted is replaced, and void with all its sessions', async () => {
    await ensure();
    const lost = await written();
    const sessions = new Sessions({ store: temporary.store, nowMs: Date.now, grantsOf: () => [] });
    const { value } = await sessions.begin({ tokenId: 'admin', expiresAtMs: null });
    expect(await sessions.find(value)).not.toBeNull();
    await rm(path);
    expect(await ensure()).toEqual({ path, made: true });
    expect(await tokens.find(lost)).toBeNull();
    expect(await sessions.find(value)).toBeNull();
    expect(await tokens.find(await written())).not.toBeNull();
  });

  it('is revoked and rotated in the data folder only', async () => {
    await ensure();
    const keeper = {
      label: 'token:admin',
      grants: [{ role: 'admin' as const }],
      tokenId: 'admin',
      expiresAtMs: null,
    };
    await expect(tokens.revoke('admin', keeper)).rejects.toMatchObject({ code: 'conflict' });
    await expect(tokens.rotate('admin', 60_000, keeper)).rejects.toMatchObject({ code: 'conflict' });
  });
});
