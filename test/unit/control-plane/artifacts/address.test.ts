import { describe, expect, it } from 'vitest';
import { allowedAddress, parseFetchHosts } from '#control-plane/artifacts/address-hosts.ts';
import { createAddressRule } from '#control-plane/artifacts/address-rules.ts';

describe('the hosts that blobs may be fetched from', () => {
  it('are read with scheme, port and whether they may be private', () => {
    expect(
      parseFetchHosts(' models.example ,http://minio:9000+private, [2001:DB8::1]:8443,https://a.example:443'),
    ).toEqual([
      { protocol: 'https:', host: 'models.example', mayBePrivate: false },
      { protocol: 'http:', host: 'minio:9000', mayBePrivate: true },
      { protocol: 'https:', host: '[2001:db8::1]:8443', mayBePrivate: false },
      { protocol: 'https:', host: 'a.example', mayBePrivate: false },
    ]);
    expect(parseFetchHosts('')).toEqual([]);
  });

  it.each(['a.example/path', 'user@a.example', 'a b', 'http://', 'ftp://a.example', '*', 'a.example:99999'])(
    'refuse %j',
    (text) => {
      expect(() => parseFetchHosts(text)).toThrow(expect.objectContaining({ code: 'bad-config' }) as Error);
    },
  );

  it('are compared with scheme and port', () => {
    const hosts = parseFetchHosts('a.example');
    expect(allowedAddress('https://A.example:443/x?y', hosts).host.host).toBe('a.example');
    for (const text of [
      'http://a.example/',
      'https://a.example:444/',
      'https://b.a.example/',
      'https://a.example./',
    ])
      expect(() => allowedAddress(text, hosts)).toThrow(
        expect.objectContaining({ code: 'address-forbidden' }) as Error,
      );
  });
});

describe('an address', () => {
  const mayConnect = createAddressRule();

  it.each(['93.184.216.34', '1.1.1.1', '2606:4700::1111', '172.32.0.1', '100.128.0.1'])('%s is taken', (address) => {
    expect(mayConnect(address, false)).toBe(true);
  });

  it.each(['10.1.2.3', '172.31.255.255', '192.168.0.1', '127.0.0.1', '127.255.0.9', '100.64.0.1', '::1', 'fc00::1', 'fd12::1'])(
    '%s is taken where inner networks are',
    (address) => {
      expect(mayConnect(address, false)).toBe(false);
      expect(mayConnect(address, true)).toBe(true);
    },
  );

  it.each([
    '0.0.0.0', '0.1.2.3', '169.254.169.254', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255', '192.0.0.8',
    '198.18.0.1', '::', '::7f00:1', '::127.0.0.1', '::ffff:127.0.0.1', '::ffff:93.184.216.34', '::ffff:7f00:1',
    '64:ff9b::7f00:1', '64:ff9b:1::a00:1', '2002:7f00:1::1', '2001:0:53aa::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1',
    'ff02::1', 'fd00:ec2::254', '2001:db8::1', 'localhost', '', '127.1',
    '100.100.100.200', '168.63.129.16', 'fd20:ce::254',
  ])('%j is never taken', (address) => {
    expect(mayConnect(address, true)).toBe(false);
  });
}); // prettier-ignore
