// A fleet's certificate authority with a server certificate for 127.0.0.1 and devices, in a temporary folder.
// The real authority of the control plane; keys are made for each test.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { IdentityFiles } from '#agent/adapters/identity-files.ts';
import { DeviceCa } from '#control-plane/trust/device-ca.ts';

export interface DeviceTls {
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface FleetTls {
  readonly folder: string;
  readonly ca: DeviceCa;
  readonly server: { readonly key: string; readonly cert: string; readonly ca: string };
  device(deviceId: string): Promise<DeviceTls>;
}

/** Ends with the test. */
export async function fleetTls(now: () => Date = () => new Date()): Promise<FleetTls> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const ca = await DeviceCa.open({ directory: join(folder, 'ca'), now });
  const issued = await ca.issueServerCertificate({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] });
  return {
    folder,
    ca,
    server: { key: issued.privateKeyPem, cert: issued.certificatePem, ca: ca.certificatePem },
    async device(deviceId) {
      const store = new IdentityFiles(join(folder, deviceId));
      const csrPem = await store.createCertificateRequest();
      const { certificatePem } = await ca.issueDeviceCertificate({ deviceId, csrPem });
      const identity = await store.save({
        deviceId,
        fleet: 'test',
        certificatePem,
        caPem: ca.certificatePem,
        gatewayUrl: 'https://127.0.0.1:1',
        mqttUrl: 'mqtts://127.0.0.1:1',
        imageRoot: '{}',
        directorRoot: '{}',
      });
      return { caPem: ca.certificatePem, certificatePem, keyPem: identity.privateKeyPem };
    },
  };
}
