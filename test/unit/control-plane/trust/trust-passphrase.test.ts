import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTrust } from '#control-plane/trust/open-trust.ts';
import { trustPassphrase } from '#control-plane/trust/trust-passphrase.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-passphrase-'));
  file = join(folder, 'passphrase');
  await writeFile(file, 'four random words here\n', { mode: 0o600 });
});
afterEach(() => rm(folder, { recursive: true }));

it('comes from the environment or from a file, without its line end', async () => {
  expect(await trustPassphrase({})).toBeNull();
  expect(await trustPassphrase({ trustPassphrase: ' as it is ' })).toBe(' as it is ');
  expect(await trustPassphrase({ trustPassphraseFile: file })).toBe('four random words here');
  await writeFile(file, 'windows line\r\n');
  expect(await trustPassphrase({ trustPassphraseFile: file })).toBe('windows line');
});

it('is refused when others may read its file, when there is none, and when it is set twice', async () => {
  const wrong = { code: 'bad-config' };
  await expect(trustPassphrase({ trustPassphrase: 'x', trustPassphraseFile: file })).rejects.toMatchObject(
    wrong,
  );
  await chmod(file, 0o640);
  await expect(trustPassphrase({ trustPassphraseFile: file })).rejects.toMatchObject(wrong);
  await expect(trustPassphrase({ trustPassphraseFile: join(folder, 'none') })).rejects.toMatchObject(wrong);
  for (const text of ['', '\n', 'x'.repeat(5_000)]) {
    await writeFile(file, text);
    await chmod(file, 0o600);
    await expect(trustPassphrase({ trustPassphraseFile: file })).rejects.toMatchObject(wrong);
  }
});

it('seals everything that lay open in the trust folder, and nothing opens without it then', async () => {
  const directory = join(folder, 'trust');
  const now = () => new Date();
  const open = await openTrust({ directory, now });
  expect(open.keysAreEncrypted).toBe(false);
  const passphrase = await trustPassphrase({ trustPassphraseFile: file });
  const sealed = await openTrust({ directory, now, passphrase });
  expect(sealed.keysAreEncrypted).toBe(true);
  expect(sealed.image.trustedRoot).toBe(open.image.trustedRoot);
  await expect(openTrust({ directory, now })).rejects.toMatchObject({ code: 'bad-config' });
  await expect(openTrust({ directory, now, passphrase: 'other words than those' })).rejects.toMatchObject({
    code: 'passphrase-wrong',
  });
}, 60_000);
