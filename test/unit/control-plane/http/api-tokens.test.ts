import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApiTokens, type ApiTokens } from '#control-plane/http/api-tokens.ts';
import { createSessions } from '#control-plane/http/sessions.ts';
import { temporaryStore, type TemporaryStore } from '#test/temporary-store.ts';

let temporary: TemporaryStore;
let tokens: ApiTokens;
let path: string;
beforeEach(async () => {
  temporary = await temporaryStore();
  tokens = createApiTokens(temporary.store);
  path = join(temporary.dataDir, 'admin-token');
});
afterEach(() => temporary[Symbol.asyncDispose]());

const ensure = () => tokens.ensureAdmin(temporary.dataDir);
const written = async () => (await readFile(path, 'utf8')).trim();

describe('the admin token', () => {
  it('is made once and stays', async () => {
    expect(await ensure()).toEqual({ path, made: true });
    const token = await written();
    expect(await ensure()).toEqual({ path, made: false });
    expect(await written()).toBe(token);
    expect(await tokens.find(token)).toEqual({ id: 'admin', name: 'admin' });
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
    const sessions = createSessions(temporary.store);
    const { id } = await sessions.begin({ id: 'admin', name: 'admin' });
    await rm(path);
    expect(await ensure()).toEqual({ path, made: true });
    expect(await tokens.find(lost)).toBeNull();
    expect(await sessions.find(id)).toBeNull();
    expect(await tokens.find(await written())).not.toBeNull();
  });
});
