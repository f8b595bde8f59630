import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '#control-plane/broker/broker.ts';
import { createLogger } from '#control-plane/logger.ts';
import { startMosquitto } from '#test/integration/broker/mosquitto.ts';
import { mosquittoPath, skipWithout } from '#test/skip-reason.ts';
import { ATTEMPTS, describeDeed } from './broker-attempts.ts';
import { Credentials, Subject, UNKNOWN_DEVICE } from './broker-subjects.ts';

const FLEET = 'lab';
const rows = ATTEMPTS.map((attempt) => [describeDeed(attempt.deed), attempt] as const);

const mosquitto = mosquittoPath();

let credentials: Credentials;
beforeAll(async () => {
  credentials = await Credentials.issue();
});

describe('on the embedded broker', () => {
  let stack: AsyncDisposableStack;
  let subject: Subject;
  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    const broker = stack.use(
      await startBroker({
        fleet: FLEET,
        host: '127.0.0.1',
        port: 0,
        tls: { ...(await credentials.authority.server()), crlPem: credentials.crlPem },
        isKnownDevice: (deviceId) => Promise.resolve(deviceId !== UNKNOWN_DEVICE),
        logger: createLogger({ level: 'silent', write: () => undefined }),
      }),
    );
    subject = stack.use(new Subject(broker.port, credentials));
  });
  afterAll(() => stack.disposeAsync());

  test.each(rows)('%s', async (_name, attempt) => {
    expect(await subject.isDone(attempt)).toBe(attempt.allowed);
  });
});

describe.skipIf(
  skipWithout('Mosquitto', mosquitto, 'install mosquitto, or set HOLDFAST_MOSQUITTO to its program'),
)('on Mosquitto with the generated files', () => {
  let stack: AsyncDisposableStack;
  let subject: Subject;
  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    const broker = stack.use(
      await startMosquitto({
        program: mosquitto ?? '',
        fleet: FLEET,
        tls: { ...(await credentials.authority.server()), crlPem: credentials.crlPem },
        // Whoever listens for leaks must be let see them, and speak for other fleets.
        extraAcl: 'user control-plane\ntopic readwrite #\ntopic read $SYS/#\n',
      }),
    );
    subject = stack.use(new Subject(broker.port, credentials));
  });
  afterAll(() => stack.disposeAsync());

  test.each(rows)('%s', async (_name, attempt) => {
    expect(await subject.isDone(attempt)).toBe(attempt.outside === undefined ? attempt.allowed : true);
  });
});
