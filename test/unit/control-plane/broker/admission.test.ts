import { describe, expect, test } from 'vitest';
import { Admission, addressKey } from '#control-plane/broker/admission.ts';

function admission(change: object = {}): Admission {
  return new Admission({ connections: 100, connectionsPerAddress: 100, pendingPerAddress: 100, ...change });
}

describe('connections', () => {
  test('of an address are bounded by how many live, each address for itself', () => {
    const two = admission({ connectionsPerAddress: 2 });
    expect([two.mayOpen('a'), two.mayOpen('a'), two.mayOpen('a')]).toEqual([true, true, false]);
    expect(two.mayOpen('b')).toBe(true);
    two.closed('a');
    expect([two.mayOpen('a'), two.mayOpen('a')]).toEqual([true, false]);
  });

  test('of all addresses together are bounded', () => {
    const three = admission({ connections: 3 });
    expect(['a', 'b', 'c', 'd'].map((address) => three.mayOpen(address))).toEqual([true, true, true, false]);
    three.closed('b');
    expect(three.mayOpen('d')).toBe(true);
  });

  test('that were not accepted are bounded apart from those that were', () => {
    const one = admission({ pendingPerAddress: 1 });
    expect([one.mayOpen('a'), one.mayOpen('a')]).toEqual([true, false]);
    one.accepted('a');
    expect([one.mayOpen('a'), one.mayOpen('a')]).toEqual([true, false]);
    one.acceptedClosed('a');
    one.closed('a');
    expect(one.mayOpen('a')).toBe(false);
    one.closed('a');
    expect(one.mayOpen('a')).toBe(true);
  });
});

describe('an address counts', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s as %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});
