import { expect, onTestFinished, test } from 'vitest';
import { emptyJournal } from '#agent/domain/journal-state.ts';
import { withEvent } from '#agent/domain/outbox.ts';
import { JournalKeeper } from '#agent/supervisor/journal-keeper.ts';
import { OutboxSender } from '#agent/supervisor/outbox-sender.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { ManualClock, settled } from '#test/fakes/manual-clock.ts';
import { MemoryJournal } from '#test/fakes/memory-journal.ts';
import { silentLogger } from '#test/fakes/silent-logger.ts';
import { WireTransport } from '#test/fakes/wire-transport.ts';

const EVENT = { kind: 'refused', code: 'replayed', detail: 'x', atMs: 1 } as const;

function sender(entries: number): {
  outbox: OutboxSender;
  keeper: JournalKeeper;
  transport: WireTransport;
  clock: ManualClock;
} {
  let state = { ...emptyJournal(), boot: 'b1' };
  for (let entry = 0; entry < entries; entry++) state = { ...withEvent(state, EVENT) };
  const clock = new ManualClock();
  const keeper = new JournalKeeper(new MemoryJournal(state), clock);
  const transport = new WireTransport();
  const outbox = new OutboxSender({ keeper, transport, clock, logger: silentLogger });
  onTestFinished(() => outbox[Symbol.asyncDispose]());
  const nothing = (): void => undefined;
  const handlers = { disconnected: nothing, desired: nothing, command: nothing, refused: nothing };
  transport.start({ ...handlers, connected: () => outbox.restart() });
  return { outbox, keeper, transport, clock };
}

const seqs = (transport: WireTransport): number[] => transport.sent.map(({ seq }) => seq);

test('sends what waits, in order, on connection, and what comes later as it comes', async () => {
  const { keeper, transport } = sender(3);
  transport.connect();
  await settled();
  await keeper.change((state) => withEvent(state, EVENT));
  await settled();
  expect(seqs(transport)).toEqual([1, 2, 3, 4]);
});

test('a send that fails on a living connection is tried again after a moment', async () => {
  const { transport, clock } = sender(2);
  transport.isBroken = true;
  transport.connect();
  await settled();
  transport.isBroken = false;
  await clock.advance(1_000);
  expect(seqs(transport)).toEqual([1, 2]);
});

test('a message that can never be sent does not hold up the others', async () => {
  const { keeper, transport } = sender(3);
  const send = transport.send.bind(transport);
  transport.send = (message) =>
    message.seq === 2 ? Promise.reject(new HoldfastError('body-too-large', 'too large')) : send(message);
  transport.connect();
  await settled();
  expect(seqs(transport)).toEqual([1, 3]);
  expect(keeper.state.outbox.map(({ seq }) => seq)).toEqual([1, 3]);
});

test('an acknowledgement of another run, or of nothing, changes nothing', async () => {
  const { outbox, keeper } = sender(2);
  await outbox.acknowledge({ kind: 'ack', boot: 'other', upToSeq: 9 });
  await outbox.acknowledge({ kind: 'ack', boot: 'b1', upToSeq: 0 });
  expect(keeper.state.outbox).toHaveLength(2);
  await outbox.acknowledge({ kind: 'ack', boot: 'b1', upToSeq: 2 });
  expect(keeper.state.outbox).toEqual([]);
});
