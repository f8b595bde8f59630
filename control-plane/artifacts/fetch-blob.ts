// Fetches a blob of known digest and length from a listed host. Invariants: a name is resolved once, and only the
// addresses that were checked then are connected to; no redirect is followed, no proxy and no credentials are used;
// bytes and time are bounded, and no byte is kept before the digest fits.

import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, request, type Dispatcher } from 'undici';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import { allowedAddress, forbidden, type FetchHost } from './address-hosts.ts';
import { createAddressRule } from './address-rules.ts';
import type { BlobStore } from './blob-store.ts';

export interface FetchDeps {
  readonly blobs: BlobStore;
  readonly hosts: readonly FetchHost[];
  readonly limits?: Partial<FetchLimits>;
  /** All addresses of a name; the system's resolver unless told. */
  readonly resolve?: (hostname: string) => Promise<LookupAddress[]>;
}

export interface FetchLimits {
  readonly connectMs: number;
  /** Until the next byte. */
  readonly idleMs: number;
  readonly totalMs: number;
}

const DEFAULT_LIMITS: FetchLimits = { connectMs: 10_000, idleMs: 30_000, totalMs: 3_600_000 };
const MAX_ADDRESSES = 32;

/** Errors: `address-forbidden`, `download-failed`, `length-mismatch`, `digest-mismatch`, `disk-full`. */
export async function fetchBlob(
  { blobs, hosts, limits, resolve = resolveAll }: FetchDeps,
  address: string,
  blob: BlobRef,
): Promise<BlobRef> {
  const { url, host } = allowedAddress(address, hosts);
  const addresses = await checkedAddresses(url, host, resolve);
  const { connectMs, idleMs, totalMs } = { ...DEFAULT_LIMITS, ...limits };
  const agent = new Agent({
    connect: { timeout: connectMs, lookup: lookupOf(addresses) },
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
    connections: 1,
  });
  try {
    const body = bodyOf(url, agent, blob.sizeBytes, AbortSignal.timeout(totalMs));
    const stored = await blobs.put(blob.sha256, body, { maxBytes: blob.sizeBytes });
    if (stored.sizeBytes !== blob.sizeBytes) throw otherLength(`${stored.sizeBytes}`, blob.sizeBytes);
    return stored;
  } finally {
    await agent.destroy();
  }
}

async function checkedAddresses(
  url: URL,
  host: FetchHost,
  resolve: NonNullable<FetchDeps['resolve']>,
): Promise<LookupAddress[]> {
  const name = url.hostname.replace(/^\[|\]$/g, '');
  const family = isIP(name);
  const addresses = family === 0 ? await resolve(name) : [{ address: name, family }];
  const mayConnect = createAddressRule();
  if (addresses.length === 0 || addresses.length > MAX_ADDRESSES)
    throw forbidden(`${name} has ${addresses.length} addresses`);
  if (!addresses.every(({ address }) => mayConnect(address, host.mayBePrivate)))
    throw forbidden(`${name} leads to an inner network`);
  return addresses;
}

async function resolveAll(hostname: string): Promise<LookupAddress[]> {
  try {
    return await lookup(hostname, { all: true, order: 'verbatim' });
  } catch (cause) {
    throw failed(`the name ${hostname} cannot be resolved`, cause);
  }
}

/** Answers what was checked, whatever is asked for. */
function lookupOf(addresses: LookupAddress[]): LookupFunction {
  return (_hostname, options, answer) => {
    const [first] = addresses;
    if (options.all === true || first === undefined) answer(null, addresses);
    else answer(null, first.address, first.family);
  };
}

/** The bytes of the answer; the request is made when the first is asked for. */
async function* bodyOf(
  url: URL,
  dispatcher: Dispatcher,
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { statusCode, headers, body } = await reached(() =>
    request(url, { dispatcher, signal, headers: { 'accept-encoding': 'identity' } }),
  );
  if (statusCode !== 200) throw failed(refusal(statusCode, url));
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw failed('the answer is encoded');
  const declared = headers['content-length'];
  if (declared !== undefined && Number(declared) !== sizeBytes)
    throw otherLength(String(declared), sizeBytes);
  let received = 0;
  const chunks = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  for (;;) {
    const step = await reached(() => chunks.next());
    if (step.done === true) break;
    received += step.value.byteLength;
    if (received > sizeBytes) throw otherLength(`more than ${sizeBytes}`, sizeBytes);
    yield step.value;
  }
  if (received < sizeBytes) throw otherLength(String(received), sizeBytes);
}

async function reached<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    throw failed('the connection failed', cause);
  }
}

function refusal(statusCode: number, { host }: URL): string {
  const isRedirect = statusCode >= 300 && statusCode < 400;
  return `${host} answered ${statusCode}${isRedirect ? ', a redirect, which is not followed' : ''}`;
}

function otherLength(received: string, sizeBytes: number): HoldfastError {
  return new HoldfastError('length-mismatch', `the blob has ${received} bytes, ${sizeBytes} were announced`, {
    hint: 'announce the length and the sha256 of the very file that lies there',
  });
}

function failed(what: string, cause?: unknown): HoldfastError {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return new HoldfastError('download-failed', typeof code === 'string' ? `${what} (${code})` : what, {
    hint: 'check the address from the machine of the control plane, or upload the file instead',
    ...(cause === undefined ? {} : { cause }),
  });
}
