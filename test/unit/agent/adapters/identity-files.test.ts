import { X509Certificate, createPrivateKey } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdentityFiles } from '#agent/adapters/identity-files.ts';
import { DeviceCa } from '#control-plane/trust/device-ca.ts';
import type { EnrolResponse } from '#protocol/api.ts';

let folder: string;
let directory: string;
let ca: DeviceCa;
let store: IdentityFiles;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-identity-'));
  directory = join(folder, 'identity');
  ca = await DeviceCa.open({ directory: join(folder, 'ca'), now: () => new Date() });
  store = new IdentityFiles(directory);
});
afterEach(() => rm(folder, { recursive: true }));

async function enrol(change: Partial<EnrolResponse> = {}, deviceId = 'edge-1'): Promise<EnrolResponse> {
  const csrPem = await store.createCertificateRequest();
  const { certificatePem } = await ca.issueDeviceCertificate({ deviceId, csrPem });
  return {
    deviceId,
    fleet: 'test',
    certificatePem,
    caPem: ca.certificatePem,
    gatewayUrl: 'https://127.0.0.1:1',
    mqttUrl: 'mqtts://127.0.0.1:1',
    imageRoot: '{}',
    directorRoot: '{}',
    ...change,
  };
}

describe('the key', () => {
  it('is made before the first request, for this user alone, and kept for the next', async () => {
    const first = await store.createCertificateRequest();
    const path = join(directory, 'key.pem');
    const key = await readFile(path, 'utf8');
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(createPrivateKey(key).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    const second = await new IdentityFiles(directory).createCertificateRequest();
    expect(await readFile(path, 'utf8')).toBe(key);
    const publicKeyOf = async (csrPem: string) => {
      const { certificatePem } = await ca.issueDeviceCertificate({ deviceId: 'edge-1', csrPem });
      return new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'pem' });
    };
    expect(await publicKeyOf(second)).toBe(await publicKeyOf(first));
  });

  it('is not replaced when it is torn', async () => {
    await store.createCertificateRequest();
    await writeFile(join(directory, 'key.pem'), '-----BEGIN PRIV');
    await expect(store.createCertificateRequest()).rejects.toMatchObject({ code: 'state-corrupt' });
    expect(await readFile(join(directory, 'key.pem'), 'utf8')).toBe('-----BEGIN PRIV');
  });
});

describe('the identity', () => {
  it('is null before enrolment, also once there is a key', async () => {
    expect(await store.load()).toBeNull();
    await store.createCertificateRequest();
    expect(await store.load()).toBeNull();
  });

  it('comes back whole after a restart', async () => {
    const enrolment = await enrol();
    const saved = await store.save(enrolment);
    expect(saved).toEqual({
      ...enrolment,
      privateKeyPem: await readFile(join(directory, 'key.pem'), 'utf8'),
    });
    expect(await new IdentityFiles(directory).load()).toEqual(saved);
    expect((await stat(join(directory, 'identity.json'))).mode & 0o777).toBe(0o600);
    expect((await readdir(directory)).sort()).toEqual(['identity.json', 'key.pem']);
  });

  it('is replaced by a renewal', async () => {
    await store.save(await enrol());
    const renewed = await enrol();
    await store.save(renewed);
    expect((await store.load())?.certificatePem).toBe(renewed.certificatePem);
  });

  it('is refused when the certificate is for another key, name or authority', async () => {
    const stranger = new IdentityFiles(join(folder, 'stranger'));
    const csrPem = await stranger.createCertificateRequest();
    const { certificatePem } = await ca.issueDeviceCertificate({ deviceId: 'edge-1', csrPem });
    const otherCa = await DeviceCa.open({ directory: join(folder, 'other-ca'), now: () => new Date() });
    for (const change of [
      { certificatePem },
      { deviceId: 'edge-2' },
      { caPem: otherCa.certificatePem },
      { certificatePem: 'nonsense' },
      { caPem: '' },
    ]) {
      await expect(store.save(await enrol(change))).rejects.toMatchObject({ code: 'ca-mismatch' });
    }
    expect(await store.load()).toBeNull();
  });

  it('says so when a file of it is torn or lost', async () => {
    await store.save(await enrol());
    const path = join(directory, 'identity.json');
    const bytes = await readFile(path);
    for (const length of [0, 1, bytes.length / 2, bytes.length - 1]) {
      await writeFile(path, bytes.subarray(0, length));
      await expect(store.load()).rejects.toMatchObject({ code: 'state-corrupt' });
    }
    await writeFile(path, bytes);
    await rm(join(directory, 'key.pem'));
    await expect(store.load()).rejects.toMatchObject({ code: 'state-corrupt' });
  });
});
