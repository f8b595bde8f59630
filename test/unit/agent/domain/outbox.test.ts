import { describe, expect, test } from 'vitest';
import { brokenInvariant, emptyJournal } from '#agent/domain/journal-state.ts';
import {
  acknowledged,
  heldFromSeq,
  MAX_OUTBOX_ENTRIES,
  withEvent,
  withTelemetry,
} from '#agent/domain/outbox.ts';
import type { JournalState } from '#agent/ports/journal.ts';
import { emptySketch } from '#protocol/latency-sketch.ts';
import type { DeploymentReport, EventBody, TelemetryBody } from '#protocol/messages.ts';
import { anInstalled } from '#test/fakes/agent-releases.ts';

const window = (at: number): TelemetryBody => ({
  windowStartMs: at,
  windowEndMs: at + 1,
  release: anInstalled(1).running,
  requests: 1,
  errors: 0,
  rejected: 0,
  labelled: 0,
  correct: 0,
  latency: emptySketch(),
  system: { cpuLoadPct: null, memoryUsedBytes: null, temperatureC: null, workerRssBytes: null },
});
const refused: EventBody = { kind: 'refused', code: 'replayed', detail: 'x', atMs: 1 };
const moved = (seq: number, state: DeploymentReport['state']): EventBody => ({
  kind: 'deployment',
  report: { rolloutId: 'r', seq, state, attempts: 1, evidence: [], history: [] },
});

function full(entries: number, add: (state: JournalState, index: number) => JournalState): JournalState {
  let state: JournalState = { ...emptyJournal(), boot: 'b1' };
  for (let index = 0; index < entries; index++) state = add(state, index);
  return state;
}

const kinds = (state: JournalState): string[] =>
  state.outbox.map(({ leaf, body }) => ('kind' in body ? body.kind : leaf));

test('numbers entries from 1 in the order they came', () => {
  const state = full(3, (before, index) =>
    index === 1 ? withTelemetry(before, window(1)) : withEvent(before, refused),
  );
  expect(state.outbox.map(({ leaf, boot, seq }) => [leaf, boot, seq])).toEqual([
    ['events', 'b1', 1],
    ['telemetry', 'b1', 2],
    ['events', 'b1', 3],
  ]);
});

test('forgets what is acknowledged of that boot, and nothing else', () => {
  const before = { ...full(3, (state) => withEvent(state, refused)), boot: 'b2', nextOutboxSeq: 1 };
  const state = withEvent(before, refused);
  expect(acknowledged(state, 'b1', 2).outbox.map(({ boot, seq }) => [boot, seq])).toEqual([
    ['b1', 3],
    ['b2', 1],
  ]);
  expect(acknowledged(state, 'nobody', 99)).toBe(state);
  expect(heldFromSeq(acknowledged(state, 'b1', 2).outbox, 'b1')).toBe(3);
  expect(heldFromSeq(state.outbox, 'nobody')).toBeUndefined();
});

describe('when it is full', () => {
  test('the oldest telemetry goes, and one event counts all that went', () => {
    const state = full(MAX_OUTBOX_ENTRIES + 50, (before, index) =>
      index % 10 === 0 ? withEvent(before, refused) : withTelemetry(before, window(index)),
    );
    expect(state.outbox.length).toBeLessThanOrEqual(MAX_OUTBOX_ENTRIES);
    expect(kinds(state).filter((kind) => kind === 'refused')).toHaveLength(55);
    const dropped = state.outbox.flatMap(({ body }) =>
      'kind' in body && body.kind === 'dropped' ? [body] : [],
    );
    expect(dropped).toHaveLength(1);
    const kept = kinds(state).filter((kind) => kind === 'telemetry').length;
    expect(dropped[0]?.telemetryWindows).toBe(495 - kept);
    const oldest = state.outbox.find(({ leaf }) => leaf === 'telemetry')?.body as TelemetryBody;
    expect(oldest.windowStartMs).toBeGreaterThan(50);
    expect(brokenInvariant(state)).toBeNull();
  });

  test('without telemetry, what a newer report of the same order says again goes', () => {
    const first = full(1, (state) => withEvent(state, moved(1, 'failed')));
    let state = first;
    for (let index = 0; index < MAX_OUTBOX_ENTRIES; index++) state = withEvent(state, moved(2, 'preflight'));
    expect(state.outbox).toHaveLength(MAX_OUTBOX_ENTRIES);
    expect(state.outbox[0]?.body).toMatchObject({ report: { seq: 1 } });
  });

  test('of single events, the oldest goes', () => {
    const state = full(MAX_OUTBOX_ENTRIES + 3, (before) => withEvent(before, refused));
    expect(state.outbox).toHaveLength(MAX_OUTBOX_ENTRIES);
    expect(state.outbox[0]?.seq).toBe(4);
  });
});
