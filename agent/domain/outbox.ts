// What the control plane has not acknowledged (protocol/messages.ts). Invariant: bounded; when it is full
// the oldest telemetry goes first and is counted, then what a newer report says again, then the oldest.

import type { EventBody, TelemetryBody } from '#protocol/messages.ts';
import type { JournalState, OutboxEntry } from '../ports/journal.ts';

export const MAX_OUTBOX_ENTRIES = 500;

/** Appends under the next number of this boot. */
export function withEvent(state: JournalState, body: EventBody): JournalState {
  return bounded(append(state, 'events', body), atMsOf(body));
}

export function withTelemetry(state: JournalState, body: TelemetryBody): JournalState {
  return bounded(append(state, 'telemetry', body), body.windowEndMs);
}

/** Forgets every entry of that boot up to and including that number. */
export function acknowledged(state: JournalState, boot: string, upToSeq: number): JournalState {
  const outbox = state.outbox.filter((entry) => entry.boot !== boot || entry.seq > upToSeq);
  return outbox.length === state.outbox.length ? state : { ...state, outbox };
}

/** Lowest number of that boot that is still held. */
export function heldFromSeq(outbox: readonly OutboxEntry[], boot: string): number | undefined {
  return outbox.find((entry) => entry.boot === boot)?.seq;
}

function append(
  state: JournalState,
  leaf: OutboxEntry['leaf'],
  body: EventBody | TelemetryBody,
): JournalState {
  const entry: OutboxEntry = { leaf, boot: state.boot, seq: state.nextOutboxSeq, body };
  return { ...state, nextOutboxSeq: state.nextOutboxSeq + 1, outbox: [...state.outbox, entry] };
}

function bounded(state: JournalState, atMs: number): JournalState {
  if (state.outbox.length <= MAX_OUTBOX_ENTRIES) return state;
  const telemetry = state.outbox.findIndex((entry) => entry.leaf === 'telemetry');
  if (telemetry === -1) {
    const repeated = state.outbox.findIndex((entry, index) => isRepeatedLater(state.outbox, entry, index));
    return { ...state, outbox: state.outbox.toSpliced(Math.max(repeated, 0), 1) };
  }
  // The one `dropped` event takes over what an earlier one counted, so that dropping makes room.
  let telemetryWindows = 1;
  const kept = state.outbox.toSpliced(telemetry, 1).filter((entry) => {
    const body = entry.body;
    if (!('kind' in body) || body.kind !== 'dropped') return true;
    telemetryWindows += body.telemetryWindows;
    return false;
  });
  return bounded(
    append({ ...state, outbox: kept }, 'events', { kind: 'dropped', telemetryWindows, atMs }),
    atMs,
  );
}

/** A deployment's report holds its whole history, so a later one of the same order says all of it. */
function isRepeatedLater(outbox: readonly OutboxEntry[], entry: OutboxEntry, index: number): boolean {
  const seq = orderSeqOf(entry);
  return seq !== null && outbox.slice(index + 1).some((later) => orderSeqOf(later) === seq);
}

function orderSeqOf({ body }: OutboxEntry): number | null {
  return 'kind' in body && body.kind === 'deployment' ? body.report.seq : null;
}

function atMsOf(body: EventBody): number {
  return body.kind === 'deployment' ? (body.report.history.at(-1)?.atMs ?? 0) : body.atMs;
}
