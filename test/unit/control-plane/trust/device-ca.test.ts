import { X509Certificate, createHash, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeviceCa, SERVICE_NAMES } from '#control-plane/trust/device-ca.ts';
import { loadX509 } from '#control-plane/trust/x509.ts';

const DAY_MS = 86_400_000;
const NAMES = { dnsNames: ['localhost', 'plane.example'], ipAddresses: ['127.0.0.1', '::1'] };
const ALGORITHMS = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  Ed25519: { name: 'Ed25519' },
  RSA: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
} as const;

let directory: string;
let nowMs: number;
let ca: DeviceCa;

const open = async () => await DeviceCa.open({ directory, now: () => new Date(nowMs) });

async function csr(kind: keyof typeof ALGORITHMS = 'P-256', name = 'CN=anything'): Promise<string> {
  const x509 = await loadX509();
  const algorithm = ALGORITHMS[kind];
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 3, true)],
  });
  return request.toString('pem');
}

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'holdfast-ca-')), 'ca');
  nowMs = Date.UTC(2030, 0, 1);
  ca = await open();
});
afterEach(() => rm(join(directory, '..'), { recursive: true }));

describe('the authority', () => {
  it('is made once, for ten years, and may sign leaves only', async () => {
    const again = await open();
    expect(again.certificatePem).toBe(ca.certificatePem);
    const certificate = new X509Certificate(ca.certificatePem);
    expect(certificate.ca).toBe(true);
    expect(certificate.toLegacyObject().asn1Curve).toBe('prime256v1');
    const years = (Date.parse(certificate.validTo) - nowMs) / (365.25 * DAY_MS);
    expect(years).toBeCloseTo(10, 1);
    expect((await stat(join(directory, 'authorities.json'))).mode & 0o777).toBe(0o600);
  });

  it('is pinned by the digest of its public key', () => {
    const der = createPublicKey(ca.certificatePem).export({ type: 'spki', format: 'der' });
    expect(ca.spkiSha256()).toBe(createHash('sha256').update(der).digest('hex'));
  });

  it('is not made anew over a torn file', async () => {
    const path = join(directory, 'authorities.json');
    const bytes = await readFile(path);
    for (const length of [0, 100, bytes.length - 40]) {
      await writeFile(path, bytes.subarray(0, length));
      await expect(open()).rejects.toMatchObject({ code: 'state-corrupt' });
    }
  });
});

describe('server certificates', () => {
  it('carry the names and stay the same over a restart', async () => {
    const issued = await ca.issueServerCertificate(NAMES);
    const certificate = new X509Certificate(issued.certificatePem);
    expect(certificate.checkHost('plane.example')).toBe('plane.example');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkHost('other.example')).toBeUndefined();
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(certificate.verify(createPublicKey(ca.certificatePem))).toBe(true);
    expect(
      await (await open()).issueServerCertificate({ ...NAMES, dnsNames: NAMES.dnsNames.toReversed() }),
    ).toEqual(issued);
  });

  it('are renewed for other names, in the last third of their life, and by another authority', async () => {
    const first = await ca.issueServerCertificate(NAMES);
    const renamed = await ca.issueServerCertificate({ ...NAMES, ipAddresses: ['10.0.0.1'] });
    expect(renamed.certificatePem).not.toBe(first.certificatePem);
    nowMs += 59 * DAY_MS;
    expect(await ca.issueServerCertificate({ ...NAMES, ipAddresses: ['10.0.0.1'] })).toEqual(renamed);
    nowMs += 2 * DAY_MS;
    const renewed = await ca.issueServerCertificate({ ...NAMES, ipAddresses: ['10.0.0.1'] });
    expect(renewed.certificatePem).not.toBe(renamed.certificatePem);
    await rm(join(directory, 'authorities.json'));
    ca = await open();
    const replaced = await ca.issueServerCertificate({ ...NAMES, ipAddresses: ['10.0.0.1'] });
    expect(new X509Certificate(replaced.certificatePem).verify(createPublicKey(ca.certificatePem))).toBe(
      true,
    );
  });

  it('are refused without a name', async () => {
    const nameless = ca.issueServerCertificate({ dnsNames: [], ipAddresses: [] });
    await expect(nameless).rejects.toMatchObject({ code: 'bad-config' });
  });
});

describe('device certificates', () => {
  it.each(['P-256', 'Ed25519'] as const)('name the device, whatever a %s request asks for', async (kind) => {
    const { certificatePem, serialNumber, expiresAtMs } = await ca.issueDeviceCertificate({
      deviceId: 'edge-1',
      csrPem: await csr(kind, 'CN=control-plane,OU=service'),
    });
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.subject.split('\n')).toEqual(['CN=edge-1', 'OU=device']);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.checkIssued(new X509Certificate(ca.certificatePem))).toBe(true);
    expect(certificate.verify(createPublicKey(ca.certificatePem))).toBe(true);
    expect(certificate.serialNumber.toLowerCase()).toBe(serialNumber);
    expect(Date.parse(certificate.validFrom)).toBe(nowMs - 5 * 60_000);
    expect(Date.parse(certificate.validTo)).toBe(nowMs + 30 * DAY_MS);
    expect(expiresAtMs).toBe(nowMs + 30 * DAY_MS);
  });

  it('never have the same serial', async () => {
    const csrPem = await csr();
    const serials = new Set<string>();
    for (let count = 0; count < 20; count += 1) {
      const { serialNumber } = await ca.issueDeviceCertificate({ deviceId: 'edge-1', csrPem });
      expect(serialNumber.length).toBeGreaterThan(24);
      serials.add(serialNumber);
    }
    expect(serials.size).toBe(20);
  });

  it('do not outlive the authority', async () => {
    nowMs += 3_640 * DAY_MS;
    const { expiresAtMs } = await ca.issueDeviceCertificate({ deviceId: 'edge-1', csrPem: await csr() });
    expect(expiresAtMs).toBe(Date.parse(new X509Certificate(ca.certificatePem).validTo));
  });

  it.each([...SERVICE_NAMES, '', 'Edge', '../x', 'a,OU=service', 'a'.repeat(64)])(
    'are refused for %j',
    async (deviceId) => {
      const csrPem = await csr();
      await expect(ca.issueDeviceCertificate({ deviceId, csrPem })).rejects.toMatchObject({
        code: 'bad-request',
      });
    },
  );

  it.each(['P-384', 'RSA'] as const)('are refused for a %s key', async (kind) => {
    const csrPem = await csr(kind);
    await expect(ca.issueDeviceCertificate({ deviceId: 'edge-1', csrPem })).rejects.toMatchObject({
      code: 'csr-invalid',
    });
  });

  it('are refused when the request is not signed with its own key', async () => {
    const x509 = await loadX509();
    const [one, two] = [
      new x509.Pkcs10CertificateRequest(await csr()),
      new x509.Pkcs10CertificateRequest(await csr()),
    ];
    const der = Buffer.from(one.rawData);
    const key = Buffer.from(one.publicKey.rawData);
    Buffer.from(two.publicKey.rawData).copy(der, der.indexOf(key));
    const csrPem = x509.PemConverter.encode(der, 'CERTIFICATE REQUEST');
    await expect(ca.issueDeviceCertificate({ deviceId: 'edge-1', csrPem })).rejects.toMatchObject({
      code: 'csr-invalid',
    });
  });

  it.each([
    '',
    'nonsense',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
    'x'.repeat(10_001),
  ])('are refused for a request that cannot be read', async (csrPem) => {
    await expect(ca.issueDeviceCertificate({ deviceId: 'edge-1', csrPem })).rejects.toMatchObject({
      code: 'csr-invalid',
    });
  });

  it('are refused for any request cut short', async () => {
    const pem = await csr();
    for (let length = 0; length < pem.length - 30; length += 37) {
      const issued = ca.issueDeviceCertificate({ deviceId: 'edge-1', csrPem: pem.slice(0, length) });
      await expect(issued).rejects.toMatchObject({ code: 'csr-invalid' });
    }
  });
});

it('gives the control plane a client certificate that is no device', async () => {
  const { certificatePem, privateKeyPem } = await ca.issueClientCertificate('control-plane');
  const certificate = new X509Certificate(certificatePem);
  expect(certificate.subject.split('\n')).toEqual(['CN=control-plane', 'OU=service']);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(privateKeyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect(certificate.checkPrivateKey(privateKey)).toBe(false);
});

describe('the key of the authority', () => {
  const sealed = async (passphrase: string | null) =>
    await DeviceCa.open({ directory, passphrase, now: () => new Date(nowMs) });
  const stored = () => readFile(join(directory, 'authorities.json'), 'utf8');

  it('lies open without a passphrase, is sealed at the next start with one, and is the same', async () => {
    expect(await stored()).toContain('BEGIN PRIVATE KEY');
    expect(ca.isKeyEncrypted).toBe(false);
    const opened = await sealed('correct horse battery');
    expect(opened.isKeyEncrypted).toBe(true);
    expect(opened.spkiSha256()).toBe(ca.spkiSha256());
    expect(await stored()).not.toContain('BEGIN PRIVATE KEY');
    await expect(sealed(null)).rejects.toMatchObject({ code: 'bad-config' });
    await expect(sealed('another passphrase')).rejects.toMatchObject({ code: 'passphrase-wrong' });
    expect((await sealed('correct horse battery')).certificatePem).toBe(ca.certificatePem);
  });

  it('is taken over from the file of before, and nothing is left lying open', async () => {
    const { authorities } = JSON.parse(await stored()) as {
      authorities: { key: string; certificatePem: string }[];
    };
    const [authority] = authorities;
    await writeFile(join(directory, 'ca.pem'), `${authority?.key}${authority?.certificatePem}`, {
      mode: 0o600,
    });
    await rm(join(directory, 'authorities.json'));
    const opened = await sealed('correct horse battery');
    expect(opened.spkiSha256()).toBe(ca.spkiSha256());
    await expect(readFile(join(directory, 'ca.pem'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await stored()).not.toContain('BEGIN PRIVATE KEY');
  });

  it('changes with overlap: certified by the old one too, both believed over a restart, until the old is retired', async () => {
    const old = new X509Certificate(ca.certificatePem);
    await ca.rotate();
    await expect(ca.rotate()).rejects.toMatchObject({ code: 'conflict' });
    const { certificatePem: chain } = await ca.issueServerCertificate(NAMES);
    const [leaf, cross] = chain
      .split(/(?<=-----END CERTIFICATE-----\n)/)
      .map((pem) => new X509Certificate(pem));
    const newest = new X509Certificate(ca.certificatePem);
    expect(leaf?.verify(newest.publicKey)).toBe(true);
    expect(cross?.verify(old.publicKey)).toBe(true);
    expect(cross?.publicKey.equals(newest.publicKey)).toBe(true);
    const again = await open();
    expect(again.bundlePem).toBe(ca.bundlePem);
    expect(again.bundlePem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect((await again.issueServerCertificate(NAMES)).certificatePem).toBe(chain);
    const device = await again.issueDeviceCertificate({ deviceId: 'edge-1', csrPem: await csr() });
    expect(device.caSpkiSha256).toBe(again.spkiSha256());
    await again.retire();
    await expect(again.retire()).rejects.toMatchObject({ code: 'conflict' });
    expect((await open()).bundlePem).toBe(ca.certificatePem);
    expect((await again.issueServerCertificate(NAMES)).certificatePem).toBe(
      chain.slice(0, chain.indexOf('-----END CERTIFICATE-----\n') + 26),
    );
  });
});
