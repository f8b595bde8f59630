import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { isKeyFile, openKey, publicPartOf, sealKey } from '#control-plane/trust/keys/key-file.ts';
import { RoleKey, trustKeyOf } from '#control-plane/trust/keys/role-key.ts';

const PASSPHRASE = 'four random words here';
const key = RoleKey.generate();

let text: string;

beforeAll(async () => {
  text = await sealKey(key.privateKey, PASSPHRASE, 'ann');
});

const changed = (change: (file: Record<string, object>) => void): string => {
  const file = JSON.parse(text) as Record<string, object>;
  change(file);
  return JSON.stringify(file);
};

describe.each(['ed25519', 'ecdsa-sha2-nistp256'] as const)('a sealed key of %s', (scheme) => {
  it('opens with its passphrase, and is the same key', async () => {
    const made = RoleKey.generate(scheme);
    const sealed = await sealKey(made.privateKey, PASSPHRASE);
    const opened = await openKey(sealed, PASSPHRASE);
    expect(trustKeyOf(createPublicKey(opened))).toEqual(made.trustKey);
  });
});

it('shows its public part and owner to everybody, and nothing of the private one', () => {
  expect(isKeyFile(text)).toBe(true);
  expect(publicPartOf(text)).toEqual({ ...key.trustKey, owner: 'ann' });
  const { d } = key.privateKey.export({ format: 'jwk' });
  const secret = Buffer.from(d ?? '', 'base64url');
  for (const shown of [secret.toString('base64'), secret.toString('hex'), PASSPHRASE])
    expect(text).not.toContain(shown);
});

it('is sealed anew each time', async () => {
  expect(await sealKey(key.privateKey, PASSPHRASE, 'ann')).not.toBe(text);
});

it('opens with the same passphrase in another Unicode form', async () => {
  const sealed = await sealKey(key.privateKey, 'Schlüssel'.normalize('NFC'));
  await expect(openKey(sealed, 'Schlüssel'.normalize('NFD'))).resolves.toBeDefined();
});

it('does not open with another passphrase', async () => {
  await expect(openKey(text, `${PASSPHRASE} `)).rejects.toMatchObject({ code: 'passphrase-wrong' });
});

it.each<[string, (file: Record<string, object>) => void]>([
  ['sealed bytes', (file) => void Object.assign(file, { sealed: Buffer.alloc(64).toString('base64') })],
  ['the owner', (file) => void Object.assign(file['key'] ?? {}, { owner: 'eve' })],
  ['the public key', (file) => void Object.assign(file, { key: RoleKey.generate().trustKey })],
  ['the salt', (file) => void Object.assign(file['kdf'] ?? {}, { salt: Buffer.alloc(32).toString('base64') })],
  ['the cost', (file) => void Object.assign(file['kdf'] ?? {}, { n: 2 ** 15 })],
  ['the tag', (file) => void Object.assign(file['cipher'] ?? {}, { tag: Buffer.alloc(16).toString('base64') })],
])('does not open when %s was changed', async (_what, change) => {
  await expect(openKey(changed(change), PASSPHRASE)).rejects.toMatchObject({ code: 'passphrase-wrong' });
}); // prettier-ignore

it.each<[string, (file: Record<string, object>) => void]>([
  ['a cost without bound', (file) => void Object.assign(file['kdf'] ?? {}, { n: 2 ** 30 })],
  ['blocks without bound', (file) => void Object.assign(file['kdf'] ?? {}, { r: 1024 })],
  ['rounds without bound', (file) => void Object.assign(file['kdf'] ?? {}, { p: 1_000_000 })],
  ['a salt of another length', (file) => void Object.assign(file['kdf'] ?? {}, { salt: '' })],
  ['a field too many', (file) => void Object.assign(file, { more: 1 })],
  ['another cipher', (file) => void Object.assign(file['cipher'] ?? {}, { name: 'none' })],
])('is no key file with %s, which costs nothing to find out', async (_what, change) => {
  const began = performance.now();
  await expect(openKey(changed(change), PASSPHRASE)).rejects.toMatchObject({ code: 'key-invalid' });
  expect(performance.now() - began).toBeLessThan(100);
});

it('refuses a passphrase that is short, and keys that cannot sign here', async () => {
  await expect(sealKey(key.privateKey, 'short')).rejects.toMatchObject({ code: 'key-invalid' });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
  await expect(sealKey(privateKey, PASSPHRASE)).rejects.toMatchObject({ code: 'key-invalid' });
});
