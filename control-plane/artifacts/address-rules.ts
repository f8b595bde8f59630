// Which network addresses a fetch may connect to. Invariant: an address that carries another within (mapped, NAT64,
// 6to4, Teredo) is never taken, since what it leads to is decided elsewhere. Source: the IANA special-purpose address
// registries (RFC 6890).

import { BlockList, isIP } from 'node:net';

type Family = 'ipv4' | 'ipv6';
type Range = readonly [network: string, prefix: number, family: Family];

const NEVER: readonly Range[] = [
  ['0.0.0.0', 8, 'ipv4'], ['169.254.0.0', 16, 'ipv4'], ['192.0.0.0', 24, 'ipv4'], ['192.0.2.0', 24, 'ipv4'],
  ['192.88.99.0', 24, 'ipv4'], ['198.18.0.0', 15, 'ipv4'], ['198.51.100.0', 24, 'ipv4'], ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'], ['240.0.0.0', 4, 'ipv4'],
  // Metadata of clouds (Alibaba, Azure, Google) outside the ranges above.
  ['100.100.100.200', 32, 'ipv4'], ['168.63.129.16', 32, 'ipv4'], ['fd20:ce::254', 128, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'], ['64:ff9b:1::', 48, 'ipv6'], ['100::', 64, 'ipv6'], ['2001::', 23, 'ipv6'],
  ['2001:db8::', 32, 'ipv6'], ['2002::', 16, 'ipv6'], ['3fff::', 20, 'ipv6'], ['5f00::', 16, 'ipv6'],
  ['fd00:ec2::', 32, 'ipv6'], ['fe80::', 10, 'ipv6'], ['fec0::', 10, 'ipv6'], ['ff00::', 8, 'ipv6'],
]; // prettier-ignore

const INNER: readonly Range[] = [
  ['10.0.0.0', 8, 'ipv4'], ['100.64.0.0', 10, 'ipv4'], ['127.0.0.0', 8, 'ipv4'], ['172.16.0.0', 12, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'], ['::1', 128, 'ipv6'], ['fc00::', 7, 'ipv6'],
]; // prettier-ignore

/** Whether an address may be connected to; those of inner networks only when `mayBePrivate`. */
export type AddressRule = (address: string, mayBePrivate: boolean) => boolean;

export function createAddressRule(): AddressRule {
  const never = listOf(NEVER);
  const inner = listOf(INNER);
  return (address, mayBePrivate) => {
    const version = isIP(address);
    if (version === 0 || address.includes('%')) return false;
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (family === 'ipv6' && isEmbedding(address)) return false;
    return !never.check(address, family) && (mayBePrivate || !inner.check(address, family));
  };
}

/** ::/96 and ::ffff:0:0/96 but for ::1; BlockList takes mapped addresses for the IPv4 ones they hold. */
function isEmbedding(address: string): boolean {
  const canonical = new URL(`http://[${address}]`).hostname;
  return canonical.startsWith('[::') && canonical !== '[::1]';
}

function listOf(ranges: readonly Range[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix, family] of ranges) list.addSubnet(network, prefix, family);
  return list;
}
