// Which hosts artifacts may be fetched from: the setting HOLDFAST_FETCH_HOSTS, and whether an address fits it. Pure.
// Invariants: nothing is allowed that is not listed; what is compared is the host as the URL standard writes it, so
// that one address has one form.

import { HoldfastError } from '#protocol/errors.ts';

export interface FetchHost {
  readonly protocol: 'https:' | 'http:';
  /** As in `URL.host`: lower case, with the port where it is not the protocol's own. */
  readonly host: string;
  /** Whether its name may lead to an address of an inner network. */
  readonly mayBePrivate: boolean;
}

const PRIVATE_SUFFIX = '+private';
const MAX_HOSTS = 100;
/** A name, an IPv4 address or one of IPv6 in brackets, and a port. */
const HOST = /^https?:\/\/([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i;

/** Reads `[http://]host[:port][+private]`, comma separated. Throws `bad-config`. */
export function parseFetchHosts(text: string): FetchHost[] {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (entries.length > MAX_HOSTS) throw badHosts(`more than ${MAX_HOSTS} hosts`);
  return entries.map(parseEntry);
}

function parseEntry(entry: string): FetchHost {
  const mayBePrivate = entry.endsWith(PRIVATE_SUFFIX);
  const address = mayBePrivate ? entry.slice(0, -PRIVATE_SUFFIX.length) : entry;
  const text = /^https?:\/\//.test(address) ? address : `https://${address}`;
  if (!HOST.test(text) || !URL.canParse(text)) throw badHosts(`"${entry}" is no host`);
  const url = new URL(text);
  return { protocol: url.protocol as FetchHost['protocol'], host: url.host, mayBePrivate };
}

/** The address as a URL and the listed host it has. Throws `address-forbidden`. */
export function allowedAddress(text: string, hosts: readonly FetchHost[]): { url: URL; host: FetchHost } {
  if (!URL.canParse(text)) throw forbidden('it is no URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw forbidden('it holds credentials');
  if (url.hash !== '') throw forbidden('it has a fragment');
  const host = hosts.find(({ protocol, host }) => protocol === url.protocol && host === url.host);
  if (host === undefined) throw forbidden(`${url.protocol}//${url.host} is not listed`);
  return { url, host };
}

export function forbidden(why: string): HoldfastError {
  return new HoldfastError('address-forbidden', `nothing is fetched from this address: ${why}`, {
    hint: 'list the host in HOLDFAST_FETCH_HOSTS, as host[:port], with +private where it is on an inner network',
  });
}

function badHosts(what: string): HoldfastError {
  return new HoldfastError('bad-config', `HOLDFAST_FETCH_HOSTS: ${what}`, {
    hint: 'write host[:port], comma separated; http:// before a host without TLS, +private after one on an inner network',
  });
}
