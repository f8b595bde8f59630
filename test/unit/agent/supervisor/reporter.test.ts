import { expect, test } from 'vitest';
import { Reporter } from '#agent/supervisor/reporter.ts';
import type { Transport } from '#agent/ports/transport.ts';
import type { ReportedBody } from '#protocol/messages.ts';
import { ManualClock, settled } from '#test/fakes/manual-clock.ts';
import { silentLogger } from '#test/fakes/silent-logger.ts';

/** A transport on which every send waits for the test. */
class SlowTransport implements Transport {
  isConnected = true;
  readonly sending: { body: ReportedBody; done: PromiseWithResolvers<void> }[] = [];

  start(): void {
    this.isConnected = true;
  }

  send(message: Parameters<Transport['send']>[0]): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.sending.push({ body: message.body as ReportedBody, done });
    return done.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await settled();
  }
}

function reporter(): {
  reporter: Reporter;
  transport: SlowTransport;
  clock: ManualClock;
  say: (version: string) => void;
} {
  const clock = new ManualClock();
  const transport = new SlowTransport();
  let agentVersion = '0';
  const made = new Reporter({
    transport,
    clock,
    logger: silentLogger,
    boot: 'b',
    describe: () => ({
      agentVersion,
      profile: 'cpu-generic',
      active: null,
      previous: null,
      deployment: null,
      quarantined: [],
    }),
  });
  const say = (version: string): void => {
    agentVersion = version;
    made.changed();
  };
  return { reporter: made, transport, clock, say };
}

test('a change while one is being sent is sent after it', async () => {
  const { transport, clock, say } = reporter();
  say('1');
  await clock.advance(0);
  say('2');
  say('3');
  await clock.advance(10_000);
  expect(transport.sending).toHaveLength(1);
  transport.sending[0]?.done.resolve();
  await settled();
  await clock.advance(500);
  expect(transport.sending.map(({ body }) => body.agentVersion)).toEqual(['1', '3']);
});

test('what did not get through is sent again, as it is by then', async () => {
  const { transport, clock, say } = reporter();
  say('1');
  await clock.advance(0);
  transport.sending[0]?.done.reject(new Error('broken'));
  await settled();
  say('2');
  await clock.advance(2_000);
  expect(transport.sending.at(-1)?.body.agentVersion).toBe('2');
});

test('leaves no timer behind', async () => {
  const { reporter: made, transport, clock, say } = reporter();
  say('1');
  await clock.advance(0);
  transport.sending[0]?.done.resolve();
  say('2');
  await settled();
  await made[Symbol.asyncDispose]();
  expect(clock.pendingTimers).toBe(0);
});
