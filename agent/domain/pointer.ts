// The pointer between the two slots (DESIGN.md section 6). Invariants: what serves is installed; going back
// leaves the release that was left out of both pointers, so that nobody comes back to it by accident.

import type { InstalledRelease, JournalState, SlotName } from '../ports/journal.ts';
import { candidateSlot } from './journal-state.ts';

/** Puts a verified release in service in the free slot; the one before it becomes `previous`. */
export function flipForward(state: JournalState, installed: InstalledRelease): JournalState {
  const slot = candidateSlot(state);
  return {
    ...state,
    slots: { ...state.slots, [slot]: installed },
    active: slot,
    previous: state.active,
  };
}

/** Back to what served before, or to nothing; the release that is left is no longer installed. */
export function flipBack(state: JournalState, atMs: number): JournalState {
  const left = state.active;
  if (left === null) return state;
  return { ...pointAt(state, state.previous, atMs), slots: without(state, left, atMs), previous: null };
}

/** Changes places: `previous` serves, and what served stays installed to go forward to again. */
export function exchange(state: JournalState, atMs: number): JournalState {
  return { ...pointAt(state, state.previous, atMs), previous: state.active };
}

function pointAt(state: JournalState, slot: SlotName | null, atMs: number): JournalState {
  return { ...state, slots: since(state.slots, slot, atMs), active: slot };
}

function without(state: JournalState, left: SlotName, atMs: number): JournalState['slots'] {
  return { ...since(state.slots, state.previous, atMs), [left]: null };
}

function since(slots: JournalState['slots'], slot: SlotName | null, atMs: number): JournalState['slots'] {
  const installed = slot === null ? null : slots[slot];
  if (slot === null || installed === null) return slots;
  return { ...slots, [slot]: { ...installed, running: { ...installed.running, sinceMs: atMs } } };
}
