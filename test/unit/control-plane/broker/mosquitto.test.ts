import { describe, expect, test } from 'vitest';
import { mosquittoAcl, mosquittoConf, opensslCrlPem } from '#control-plane/broker/mosquitto.ts';
import { DEFAULT_LIMITS } from '#control-plane/broker/limits.ts';
import { deviceMayPublish, deviceMaySubscribe, deviceTopic, TOPIC_LEAVES } from '#protocol/topics.ts';

const acl = mosquittoAcl('lab', ['control-plane', 'gateway']).split('\n');

describe('the rules for Mosquitto', () => {
  test('give a device each leaf as the embedded broker does, and nothing else', () => {
    for (const leaf of TOPIC_LEAVES) {
      const topic = deviceTopic('lab', 'camera-1', leaf);
      const line = `holdfast/v1/lab/%u/${leaf}`;
      expect(acl.includes(`pattern write ${line}`)).toBe(deviceMayPublish('lab', 'camera-1', topic));
      expect(acl.includes(`pattern read ${line}`)).toBe(deviceMaySubscribe('lab', 'camera-1', topic));
    }
    expect(acl.filter((line) => line.startsWith('pattern'))).toHaveLength(TOPIC_LEAVES.length);
  });

  test('give the control plane its fleet, and other services nothing', () => {
    const control = acl.indexOf('user control-plane');
    expect(acl[control + 1]).toBe('topic readwrite holdfast/v1/lab/#');
    const gateway = acl.indexOf('user gateway');
    expect(acl[gateway + 1]).toBe('topic deny #');
    expect(acl.filter((line) => line.startsWith('topic'))).toHaveLength(2);
  });

  test('do not depend on a name that the client chooses', () => {
    expect(acl.join('\n')).not.toContain('%c');
  });
});

describe('the settings for Mosquitto', () => {
  const options = { directory: '/etc/mosquitto/holdfast', port: 8883, hasRevocationList: true };
  const conf = mosquittoConf(options).split('\n');

  test('let in nobody without a certificate, under its name and no other', () => {
    expect(conf).toEqual(
      expect.arrayContaining([
        'allow_anonymous false',
        'tls_version tlsv1.3',
        'require_certificate true',
        'use_identity_as_username true',
        'use_username_as_clientid true',
        'crlfile /etc/mosquitto/holdfast/holdfast-crl.pem',
      ]),
    );
  });

  test('bound a packet as the embedded broker does', () => {
    expect(conf).toContain(`max_packet_size ${DEFAULT_LIMITS.maxPublishBytes + 5}`);
    expect(conf).toContain(`max_connections ${DEFAULT_LIMITS.connections}`);
  });

  test('name no revocation list where there is none', () => {
    expect(mosquittoConf({ ...options, hasRevocationList: false })).not.toContain('crlfile');
  });
});

test('a revocation list is labelled as OpenSSL reads it, once', () => {
  const list = '-----BEGIN CRL-----\nAA==\n-----END CRL-----\n';
  const wanted = '-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n';
  expect(opensslCrlPem(list)).toBe(wanted);
  expect(opensslCrlPem(wanted)).toBe(wanted);
});
