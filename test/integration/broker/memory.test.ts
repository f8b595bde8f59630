import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectRaw, flood, HUGE_BYTES, HUGE_CONNECT, HUGE_PUBLISH, openTcp, openTls } from './flood.ts';
import { LoneBroker } from './lone-broker.ts';
import { Others } from './others.ts';
import { TestAuthority, type IssuedTls } from './test-authority.ts';

const FLEET = 'lab';
const ROUNDS = 3;
const ATTACKERS = 4;
const SLOWEST_MS = 5_000;
const MAX_GROWTH_BYTES = 10 * 1024 ** 2;

let stack: AsyncDisposableStack;
let authority: TestAuthority;
let attacker: IssuedTls;
let broker: LoneBroker;
let others: Others;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  authority = await TestAuthority.create();
  attacker = await authority.client('attacker');
  // The others are faster than a device may be, so that they notice whatever holds the broker up.
  const limits = { packetsPerSecond: 100_000, bytesPerSecond: 1024 ** 3 };
  broker = stack.use(await LoneBroker.start({ fleet: FLEET, tls: await authority.server(), limits }));
  others = stack.use(await Others.start(FLEET, broker.port, authority));
  // What V8 and OpenSSL take once, for code and first objects, is no attack's.
  await others.exchange(2_000);
  for (let i = 0; i < 50; i++) (await connected()).destroy();
  await others.exchange(2_000);
});
afterAll(() => stack.disposeAsync());

/** A broker that reads on until it has 256 MiB is not attacked in vain: the bytes that it took. */
const ATTACKS: Readonly<Record<string, () => Promise<number>>> = {
  'a CONNECT of 256 MiB under a valid certificate': () =>
    all(async () => await flood(await openTls(broker.port, authority.caPem, attacker), HUGE_CONNECT)),
  'a PUBLISH of 256 MiB in place of CONNECT': () =>
    all(async () => await flood(await openTls(broker.port, authority.caPem, attacker), HUGE_PUBLISH)),
  'a PUBLISH of 256 MiB after CONNECT was accepted': () =>
    all(async () => await flood(await connected(), HUGE_PUBLISH)),
  '256 MiB over TLS without a certificate': () =>
    all(async () => await flood(await openTls(broker.port, authority.caPem), HUGE_CONNECT)),
  '256 MiB without TLS': () => all(async () => await flood(await openTcp(broker.port), Buffer.alloc(0))),
};

async function connected(): Promise<Socket> {
  const socket = await openTls(broker.port, authority.caPem, attacker);
  await connectRaw(socket, 'attacker');
  return socket;
}

/** By several at a time. */
async function all(attack: () => Promise<number>): Promise<number> {
  const sent = await Promise.all(Array.from({ length: ATTACKERS }, attack));
  return Math.max(...sent);
}

test.skipIf(process.platform !== 'linux').each(Object.entries(ATTACKS))(
  '%s moves the memory of the broker by less than 10 MiB, and others go on',
  async (_name, attack) => {
    await others.exchange(200);
    await broker.forgetPeak();
    const before = await broker.residentBytes();
    let sentBytes = 0;
    let slowestMs = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const attacked = attack();
      slowestMs = Math.max(slowestMs, await others.slowestDuring(attacked));
      sentBytes = Math.max(sentBytes, await attacked);
    }
    expect((await broker.peakBytes()) - before).toBeLessThan(MAX_GROWTH_BYTES);
    expect(sentBytes).toBeLessThan(HUGE_BYTES);
    expect(slowestMs).toBeLessThan(SLOWEST_MS);
  },
);
