import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect as tlsConnect } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { deviceTopic, fleetFilter } from '#protocol/topics.ts';
import { BrokerWorld, closed, FLEET, type BrokerWorldOptions } from './broker-world.ts';
import { TestAuthority } from './test-authority.ts';

let world: BrokerWorld;

const keySha256Of = (certificatePem: string): string =>
  createHash('sha256')
    .update(new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');

async function start(options: BrokerWorldOptions = {}): Promise<void> {
  world = await BrokerWorld.start(options);
}

afterEach(() => world[Symbol.asyncDispose]());

test('a device is disconnected at once, with its will, and nobody else', async () => {
  await start();
  const controlPlane = await world.connect('control-plane');
  const gone = new Promise<string>((resolve) => {
    controlPlane.once('message', (_topic, payload) => resolve(payload.toString()));
  });
  await controlPlane.subscribeAsync(fleetFilter(FLEET, 'presence'), { qos: 1 });
  const topic = deviceTopic(FLEET, 'camera-1', 'presence');
  const will = { topic, payload: Buffer.from('gone'), qos: 1, retain: true } as const;
  const device = await world.connect('camera-1', { will });
  const pending = await world.openTls('camera-1');
  const other = await world.connect('camera-2');
  world.broker.disconnect('camera-1');
  await Promise.all([closed(device), closed(pending)]);
  expect(await gone).toBe('gone');
  world.broker.disconnect('control-plane');
  world.broker.disconnect('nobody');
  expect([other.connected, controlPlane.connected]).toEqual([true, true]);
});

test('a device that is known no more is disconnected by the next check, without a word to the broker', async () => {
  const known = new Set(['camera-1', 'camera-2']);
  await start({
    limits: { recheckIntervalMs: 20 },
    isKnownDevice: (id) => Promise.resolve(known.has(id)),
  });
  const [first, second] = [await world.connect('camera-1'), await world.connect('camera-2')];
  known.delete('camera-1');
  await closed(first);
  expect(second.connected).toBe(true);
  await expect(world.connect('camera-1')).rejects.toThrow(/Not authorized/i);
});

test('a certificate of another key than the device has is refused, and put out where it is connected', async () => {
  const keys = new Set<string>();
  await start({
    limits: { recheckIntervalMs: 20 },
    isKnownDevice: (_id, keySha256) => Promise.resolve(keys.size === 0 || keys.has(keySha256)),
  });
  const { certificatePem, privateKeyPem } = await world.authority.client('camera-1');
  const forged = { cert: certificatePem, key: privateKeyPem };
  const before = await world.connect('camera-1', forged);
  const own = await world.tls('camera-1');
  keys.add(keySha256Of(own.certificatePem));
  await closed(before);
  await expect(world.connect('camera-1', forged)).rejects.toThrow(/Not authorized/i);
  expect((await world.connect('camera-1')).connected).toBe(true);
});

test('while devices cannot be looked up, those that are connected stay', async () => {
  let lookUps = 0;
  let isUp = true;
  await start({
    limits: { recheckIntervalMs: 10 },
    isKnownDevice() {
      lookUps++;
      if (!isUp) throw new Error('the database is down');
      return Promise.resolve(true);
    },
  });
  const device = await world.connect('camera-1');
  isUp = false;
  const before = lookUps;
  await expect.poll(() => lookUps).toBeGreaterThan(before + 3);
  expect(device.connected).toBe(true);
  expect(world.log).toContain('the check of connected devices failed');
});

test('a connection ends with its certificate, and goes on with a new one', async () => {
  await start({ limits: { recheckIntervalMs: 50 } });
  const { certificatePem: cert, privateKeyPem: key } = await world.authority.client('camera-1', {
    expiresInMs: 2_500,
  });
  const [brief, other] = [await world.connect('camera-1', { cert, key }), await world.connect('camera-2')];
  await closed(brief);
  expect(world.log).toContain('its certificate has expired');
  expect(other.connected).toBe(true);
  expect((await world.connect('camera-1')).connected).toBe(true);
});

test('of one device only the latest connection lives', async () => {
  await start();
  const all = [];
  for (let i = 0; i < 4; i++) all.push(await world.openMqtt('camera-1'));
  await Promise.all(all.slice(0, 3).map((socket) => closed(socket)));
  expect(all[3]?.destroyed).toBe(false);
});

test('a revoked certificate is refused, another of the same device is not', async () => {
  const authority = await TestAuthority.create();
  const stolen = await authority.client('camera-1');
  await start({ authority, crlPem: await authority.revocationList([stolen.serialNumber]) });
  const { certificatePem: cert, privateKeyPem: key } = stolen;
  await expect(world.connect('camera-1', { cert, key })).rejects.toThrow();
  expect((await world.connect('camera-1')).connected).toBe(true);
});

test('a list that comes with renewed credentials ends the connections that it names', async () => {
  await start();
  const [first, second] = [await world.connect('camera-1'), await world.connect('camera-2')];
  const { serialNumber } = await world.tls('camera-1');
  const crlPem = await world.authority.revocationList([serialNumber]);
  world.broker.renewCredentials({ ...world.serverTls, crlPem });
  await closed(first);
  expect(second.connected).toBe(true);
});

test('a list past its date, or none for one of two authorities, locks out nobody that it does not name', async () => {
  const [old, next] = [await TestAuthority.create(), await TestAuthority.create()];
  const revoked = await old.client('camera-3');
  const crlPem = await old.revocationList([revoked.serialNumber], -1_000);
  await start({ authority: old, crlPem });
  expect(world.log).toContain('past its date');
  world.broker.renewCredentials({ ...world.serverTls, caPem: old.caPem + next.caPem, crlPem });
  const fresh = await next.client('camera-2');
  const own = { cert: fresh.certificatePem, key: fresh.privateKeyPem };
  const all = [await world.connect('camera-1'), await world.connect('camera-2', own)];
  expect(all.map(({ connected }) => connected)).toEqual([true, true]);
  const { certificatePem: cert, privateKeyPem: key } = revoked;
  await expect(world.connect('camera-3', { cert, key })).rejects.toThrow();
});

test('a list that cannot be read is said, and the one before it stays in force', async () => {
  const authority = await TestAuthority.create();
  const { certificatePem: cert, privateKeyPem: key, serialNumber } = await authority.client('camera-1');
  await start({ authority, crlPem: await authority.revocationList([serialNumber]) });
  world.broker.renewCredentials({ ...world.serverTls, crlPem: 'no list' });
  await expect.poll(() => world.log).toContain('the revocation list stays as it was');
  await expect(world.connect('camera-1', { cert, key })).rejects.toThrow();
  await expect(BrokerWorld.start({ authority, crlPem: 'no list' })).rejects.toMatchObject({
    code: 'bad-config',
  });
});

test('no TLS session is resumed: each connection shows its certificate', async () => {
  await start();
  const { caPem: ca, certificatePem: cert, privateKeyPem: key } = await world.tls('camera-1');
  const open = (session?: Buffer) =>
    tlsConnect({ host: '127.0.0.1', port: world.broker.port, ca, cert, key, session });
  const first = open();
  const sessions: Buffer[] = [];
  first.on('session', (session: Buffer) => sessions.push(session));
  await once(first, 'secureConnect');
  const known = sessions.at(-1) ?? first.getSession();
  first.destroy();
  const second = open(known);
  await once(second, 'secureConnect');
  expect(second.isSessionReused()).toBe(false);
  second.destroy();
});
