import { describe, expect, test } from 'vitest';
import type { Happening } from '#agent/domain/happening.ts';
import { emptyJournal, neededDigests } from '#agent/domain/journal-state.ts';
import { planOf } from '#agent/domain/plan.ts';
import { reconcile } from '#agent/domain/reconcile.ts';
import type { JournalState } from '#agent/ports/journal.ts';
import type { DeploymentState } from '#protocol/deployment.ts';
import { aManifest, anInstalled, anOrder, TEST_PROFILE } from '#test/fakes/agent-releases.ts';

const BOOT: Happening = { kind: 'boot', boot: 'b1', profile: TEST_PROFILE };
const WAY = [
  ['preflight', 'preflight-passed'], ['downloading', 'downloaded'], ['verifying', 'verified'], ['loading', 'loaded'],
  ['golden', 'golden-passed'], ['shadow', 'shadow-passed'], ['activating', 'activated'], ['probation', 'probation-passed'],
] as const; // prettier-ignore

let atMs = 0;
function after(state: JournalState, ...happenings: Happening[]): JournalState {
  return happenings.reduce((before, happening) => reconcile(before, happening, ++atMs).state, state);
}

/** A device on which version `version` was ordered as `seq` and all went well until it reached a state. */
function upTo(state: JournalState, seq: number, version: number, goal: DeploymentState): JournalState {
  let next = after(
    state,
    { kind: 'order', order: anOrder({ seq, version }) },
    { kind: 'manifest', seq, manifest: aManifest(version) },
  );
  for (const [from, event] of WAY) {
    if (next.deployment?.report.state === goal) return next;
    if (from === 'activating') next = after(next, { kind: 'flip', seq, installed: anInstalled(version) });
    next = after(next, { kind: 'step', seq, state: from, event });
  }
  return next;
}

const fresh = (): JournalState => after(emptyJournal(), BOOT);
const onVersion1 = (): JournalState => upTo(fresh(), 1, 1, 'healthy');
const report = (state: JournalState) => state.deployment?.report;

describe('the commit point', () => {
  test('a restart right behind the flip goes on with probation, not with another try', () => {
    const flipped = after(upTo(onVersion1(), 2, 2, 'activating'), {
      kind: 'flip',
      seq: 2,
      installed: anInstalled(2),
    });
    expect(report(flipped)?.state).toBe('activating');
    const state = after(flipped, { ...BOOT, boot: 'b2' });
    expect(report(state)).toMatchObject({ state: 'probation', attempts: 2 });
    expect(planOf(state)).toMatchObject({ serve: { slot: 'b' }, standby: { slot: 'a' }, candidate: false });
  });

  test('a restart before the flip serves the old release and tries again', () => {
    const state = after(upTo(onVersion1(), 2, 2, 'activating'), { ...BOOT, boot: 'b2' });
    expect(report(state)).toMatchObject({ state: 'preflight', attempts: 2, evidence: [] });
    expect(planOf(state)).toMatchObject({ serve: { slot: 'a' }, standby: null, candidate: false });
  });

  test('an activation that fails behind the flip goes back', () => {
    const flipped = after(upTo(onVersion1(), 2, 2, 'activating'), {
      kind: 'flip',
      seq: 2,
      installed: anInstalled(2),
    });
    const state = after(flipped, {
      kind: 'step',
      seq: 2,
      state: 'activating',
      event: 'fail',
      reason: 'activation-failed',
    });
    expect(state).toMatchObject({ active: 'a', previous: null, slots: { b: null } });
    expect(report(state)).toMatchObject({ state: 'rolled-back', reason: 'activation-failed' });
  });

  test('`activated` without the flip means nothing', () => {
    const state = upTo(onVersion1(), 2, 2, 'activating');
    expect(after(state, { kind: 'step', seq: 2, state: 'activating', event: 'activated' })).toBe(state);
  });
});

describe('what is stale', () => {
  test('the end of a step of another deployment, or of another state, means nothing', () => {
    const state = upTo(onVersion1(), 2, 2, 'golden');
    for (const stale of [
      { kind: 'step', seq: 1, state: 'golden', event: 'golden-passed' },
      { kind: 'step', seq: 2, state: 'loading', event: 'loaded' },
      { kind: 'flip', seq: 2, installed: anInstalled(2) },
      { kind: 'manifest', seq: 1, manifest: aManifest(1) },
    ] as const) {
      expect(reconcile(state, stale, 9)).toEqual({ state, verdict: 'ignored' });
    }
  });
});

test('every move is told in the same write', () => {
  const state = upTo(fresh(), 1, 1, 'healthy');
  const told = state.outbox.flatMap(({ body }) =>
    'kind' in body && body.kind === 'deployment' ? [body.report.state] : [],
  );
  expect(told).toEqual([
    'preflight', 'downloading', 'verifying', 'loading', 'golden', 'shadow', 'activating', 'probation', 'healthy',
  ]); // prettier-ignore
});

test('the disk keeps what serves, what was before, and what is being tried', () => {
  const state = upTo(upTo(onVersion1(), 2, 2, 'healthy'), 3, 3, 'golden');
  const needed = neededDigests(state);
  for (const version of [1, 2, 3]) {
    const { variant, contract } = aManifest(version);
    expect(needed).toContain(variant.weights.sha256);
    expect(needed).toContain(contract.golden.sha256);
    expect(needed).toContain(anInstalled(version).manifestBlob.sha256);
  }
  expect(needed.size).toBe(9);
});

test('a history that grows beyond what a report may carry keeps its beginning and its end', () => {
  let state = upTo(onVersion1(), 2, 2, 'golden');
  for (let turn = 0; turn < 30; turn++) {
    state = after(state, { kind: 'unservable', detail: 'nothing to go back to' });
    const { deployment } = state;
    state = { ...state, deployment: { ...deployment!, report: { ...deployment!.report, attempts: 1 } } };
    state = after(state, { ...BOOT, boot: `again-${turn}` });
    for (const [from, event] of WAY.slice(0, 4))
      state = after(state, { kind: 'step', seq: 2, state: from, event });
  }
  const history = report(state)?.history ?? [];
  expect(history).toHaveLength(64);
  expect(history[0]).toMatchObject({ from: 'queued', to: 'notified' });
  expect(history.at(-1)).toMatchObject({ to: 'golden' });
});

test('the list of quarantined weights is bounded and has each once', () => {
  let state = onVersion1();
  for (let index = 0; index < 150; index++) {
    const sha256 = index.toString(16).padStart(64, '0');
    state = after(
      state,
      { kind: 'quarantined', sha256, detail: 'x' },
      { kind: 'quarantined', sha256, detail: 'x' },
    );
  }
  expect(state.quarantined).toHaveLength(100);
  expect(new Set(state.quarantined).size).toBe(100);
});
