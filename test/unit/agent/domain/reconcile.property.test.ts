import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJournal } from '#agent/adapters/journal-schema.ts';
import { isFlipped } from '#agent/domain/deployment-journal.ts';
import type { Happening, StepEvent } from '#agent/domain/happening.ts';
import { activeRelease, brokenInvariant, emptyJournal } from '#agent/domain/journal-state.ts';
import { planOf } from '#agent/domain/plan.ts';
import { reconcile } from '#agent/domain/reconcile.ts';
import type { JournalState } from '#agent/ports/journal.ts';
import {
  DEPLOYMENT_EVENTS, DEPLOYMENT_TABLE, isDeploymentEnded, MAX_ATTEMPTS, stepDeployment,
} from '#protocol/deployment.ts'; // prettier-ignore
import { aManifest, anInstalled, anOrder, TEST_PROFILE } from '#test/fakes/agent-releases.ts';

const version = fc.integer({ min: 1, max: 4 });
const seq = fc.integer({ min: 1, max: 40 });
const RULES_OWN = ['notify', 'order-verified', 'already-serving', 'restarted', 'supersede', 'cancel'];
const STEP_EVENTS = DEPLOYMENT_EVENTS.filter((one): one is StepEvent => !RULES_OWN.includes(one));
const event = fc.constantFrom(...STEP_EVENTS);

/** Steps and flips name "the deployment in hand" when they are carried out, or a stale one. */
type Script =
  | { kind: 'boot' } | { kind: 'local-rollback' } | { kind: 'unservable' }
  | { kind: 'hint' | 'order'; seq: number; version: number; profile: string }
  | { kind: 'step'; event: StepEvent; stale: boolean }
  | { kind: 'flip' } | { kind: 'manifest' } | { kind: 'quarantined'; version: number }
  | { kind: 'walk' }; // prettier-ignore

const script: fc.Arbitrary<Script> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('boot' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('local-rollback' as const, 'unservable' as const) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('hint' as const, 'order' as const),
      seq,
      version,
      profile: fc.constantFrom(TEST_PROFILE, TEST_PROFILE, TEST_PROFILE, 'x86-cpu'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('step' as const), event, stale: fc.boolean() }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('walk' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('flip' as const, 'manifest' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('quarantined' as const), version }) },
);

const GOOD_WAY = {
  preflight: 'preflight-passed', downloading: 'downloaded', verifying: 'verified', loading: 'loaded',
  golden: 'golden-passed', shadow: 'shadow-passed', activating: 'activated', probation: 'probation-passed',
} as const; // prettier-ignore

function versionInHand(state: JournalState): number {
  return state.deployment?.report.version ?? 1;
}

/** What a script line means in this state. `walk` is the next step of a deployment on which all goes well. */
function happeningsOf(line: Script, state: JournalState, turn: number): Happening[] {
  const inHand = state.deployment?.report;
  const seqInHand = inHand?.seq ?? 0;
  const flip: Happening = { kind: 'flip', seq: seqInHand, installed: anInstalled(versionInHand(state)) };
  switch (line.kind) {
    case 'boot':
      return [{ kind: 'boot', boot: `boot-${turn}`, profile: TEST_PROFILE }];
    case 'local-rollback':
      return [{ kind: 'local-rollback' }];
    case 'unservable':
      return [{ kind: 'unservable', detail: 'gone' }];
    case 'quarantined':
      return [
        { kind: 'quarantined', sha256: aManifest(line.version).variant.weights.sha256, detail: 'crashed' },
      ];
    case 'hint': {
      const { targetPath, order } = anOrder(line);
      return [{ kind: 'hint', hint: { rolloutId: order.rolloutId, seq: line.seq, targetPath } }];
    }
    case 'order':
      return [{ kind: 'order', order: anOrder(line) }];
    case 'step':
      return [
        {
          kind: 'step',
          seq: seqInHand + (line.stale ? 1 : 0),
          state: inHand?.state ?? 'queued',
          event: line.event,
        },
      ];
    case 'flip':
      return [flip];
    case 'manifest':
      return [{ kind: 'manifest', seq: seqInHand, manifest: aManifest(versionInHand(state)) }];
    case 'walk': {
      const good = GOOD_WAY[inHand?.state as keyof typeof GOOD_WAY];
      if (good === undefined || inHand === undefined) return [];
      const step: Happening = { kind: 'step', seq: seqInHand, state: inHand.state, event: good };
      return good === 'activated' ? [flip, step] : [step];
    }
  }
}

function chainIsLegal(state: JournalState): boolean {
  const history = state.deployment?.report.history ?? [];
  const isShortened = history.length >= 64;
  return history.every((move, index) => {
    const follows = index === 0 || isShortened || history[index - 1]?.to === move.from;
    return follows && Object.values(DEPLOYMENT_TABLE[move.from]).includes(move.to);
  });
}

test('any sequence of orders, steps, restarts and roll backs keeps every invariant of the journal', () => {
  let activations = 0;
  fc.assert(
    fc.property(fc.array(script, { maxLength: 120, size: 'max' }), (lines) => {
      let state = emptyJournal();
      for (const [turn, line] of [{ kind: 'boot' } as const, ...lines].entries()) {
        for (const happening of happeningsOf(line, state, turn)) {
          const before = state;
          state = reconcile(before, happening, turn).state;

          expect(brokenInvariant(state)).toBeNull();
          expect(state.highestSeq).toBeGreaterThanOrEqual(before.highestSeq);
          expect(chainIsLegal(state)).toBe(true);
          expect(state.deployment?.report.attempts ?? 1).toBeLessThanOrEqual(MAX_ATTEMPTS + 1);

          if (state.deployment?.report.state === 'probation') expect(isFlipped(state)).toBe(true);

          const was = before.deployment?.report;
          const is = state.deployment?.report;
          if (
            was !== undefined &&
            isDeploymentEnded(was.state) &&
            is?.seq === was.seq &&
            before.highestSeq >= was.seq
          ) {
            expect(is).toEqual(was);
          }
          if (was !== undefined && is !== undefined && was.state !== is.state && was.seq === is.seq) {
            const told = state.outbox.at(-1)?.body;
            const events = state.outbox.flatMap(({ body }) => ('kind' in body ? [body] : []));
            expect(told).toBeDefined();
            expect(events.some((e) => e.kind === 'deployment' && e.report.state === is.state)).toBe(true);
          }
          if (before.active !== state.active && happening.kind === 'flip') activations++;
        }
      }
      expect(() => parseJournal(structuredClone(state))).not.toThrow();
    }),
    { numRuns: 400 },
  );
  expect(activations).toBeGreaterThan(50);
});

test('only a flip in `activating`, or going back, changes which slot serves', () => {
  fc.assert(
    fc.property(fc.array(script, { maxLength: 80 }), (lines) => {
      let state = emptyJournal();
      for (const [turn, line] of [{ kind: 'boot' } as const, ...lines].entries()) {
        for (const happening of happeningsOf(line, state, turn)) {
          const before = state;
          state = reconcile(before, happening, turn).state;
          if (before.active === state.active) continue;
          const forward = happening.kind === 'flip' && before.deployment?.report.state === 'activating';
          const back = state.active === before.previous;
          expect(forward || back).toBe(true);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('a restart at any moment serves the committed release first and never the candidate', () => {
  fc.assert(
    fc.property(fc.array(script, { maxLength: 80 }), (lines) => {
      let state = emptyJournal();
      for (const [turn, line] of [{ kind: 'boot' } as const, ...lines].entries()) {
        for (const happening of happeningsOf(line, state, turn))
          state = reconcile(state, happening, turn).state;
        const restarted = reconcile(
          state,
          { kind: 'boot', boot: 'again', profile: TEST_PROFILE },
          turn,
        ).state;
        const serve = planOf(restarted).serve;
        expect(serve?.installed.manifestBlob.sha256).toBe(activeRelease(restarted)?.manifestBlob.sha256);
        const step = planOf(restarted).step?.state;
        if (step !== undefined) expect(['queued', 'notified', 'preflight', 'probation']).toContain(step);
        if (step === 'preflight') expect(stepDeployment('preflight', 'preflight-passed')).toBe('downloading');
      }
    }),
    { numRuns: 200 },
  );
});
