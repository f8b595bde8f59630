import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DEPLOYMENT_EVENTS,
  DEPLOYMENT_STATES,
  DEPLOYMENT_TABLE,
  deploymentStateSchema,
  isDeploymentEnded,
  stepDeployment,
  type DeploymentEvent,
  type DeploymentState,
} from '#protocol/deployment.ts';

const ENDINGS: readonly DeploymentState[] = [
  'healthy',
  'rolled-back',
  'held',
  'failed',
  'superseded',
  'cancelled',
];
/** States in which the candidate serves. */
const SERVING: readonly DeploymentState[] = ['activating', 'probation', 'healthy'];

interface Walk {
  /** `queued` first. */
  readonly path: readonly DeploymentState[];
  /** Event `i` led from state `i` of the path to the next. */
  readonly taken: readonly DeploymentEvent[];
}

/** Random walks that take only events with a meaning, so that they go deep. */
const walks: fc.Arbitrary<Walk> = fc.array(fc.nat(), { maxLength: 60 }).map((picks) => {
  const path: DeploymentState[] = ['queued'];
  const taken: DeploymentEvent[] = [];
  for (const pick of picks) {
    const state = path.at(-1) ?? 'queued';
    const possible = DEPLOYMENT_EVENTS.filter((event) => stepDeployment(state, event) !== null);
    const event = possible[pick % possible.length];
    const next = event === undefined ? null : stepDeployment(state, event);
    if (event === undefined || next === null) break;
    path.push(next);
    taken.push(event);
  }
  return { path, taken };
});

function reachableFrom(start: DeploymentState): Set<DeploymentState> {
  const reached = new Set<DeploymentState>([start]);
  for (const state of reached) for (const next of Object.values(DEPLOYMENT_TABLE[state])) reached.add(next);
  return reached;
}

describe('the table', () => {
  test('is closed: every state has a row, and leads to known states by known events only', () => {
    expect(Object.keys(DEPLOYMENT_TABLE).sort()).toEqual([...DEPLOYMENT_STATES].sort());
    for (const row of Object.values(DEPLOYMENT_TABLE)) {
      for (const [event, next] of Object.entries(row)) {
        expect(DEPLOYMENT_EVENTS).toContain(event);
        expect(deploymentStateSchema.safeParse(next).success).toBe(true);
      }
    }
  });

  test('has the endings of the design and no other state without a way out', () => {
    expect(DEPLOYMENT_STATES.filter(isDeploymentEnded).sort()).toEqual([...ENDINGS].sort());
  });

  test('reaches every state from queued, uses every event, and lets every state end well and badly', () => {
    expect([...reachableFrom('queued')].sort()).toEqual([...DEPLOYMENT_STATES].sort());
    const used = new Set(Object.values(DEPLOYMENT_TABLE).flatMap((row) => Object.keys(row)));
    expect([...used].sort()).toEqual([...DEPLOYMENT_EVENTS].sort());
    for (const state of DEPLOYMENT_STATES.filter((candidate) => !isDeploymentEnded(candidate))) {
      const reached = reachableFrom(state);
      expect(reached, state).toContain('healthy');
      expect(
        [...reached].some((other) => ENDINGS.includes(other) && other !== 'healthy'),
        state,
      ).toBe(true);
    }
  });

  test('every step but a restart in preflight leads to another state', () => {
    for (const state of DEPLOYMENT_STATES) {
      for (const event of DEPLOYMENT_EVENTS) {
        if (stepDeployment(state, event) === state)
          expect([state, event]).toEqual(['preflight', 'restarted']);
      }
    }
  });
});

describe('whatever happens', () => {
  test('an ending is final', () => {
    fc.assert(
      fc.property(walks, ({ path }) => {
        expect(path.slice(0, -1).some(isDeploymentEnded)).toBe(false);
      }),
    );
    for (const state of ENDINGS) {
      for (const event of DEPLOYMENT_EVENTS) expect(stepDeployment(state, event)).toBeNull();
    }
  });

  test('nothing serves without golden vectors since the last start, unless it served before', () => {
    fc.assert(
      fc.property(walks, ({ path, taken }) => {
        for (let i = 1; i < path.length; i++) {
          const [before, now] = [path[i - 1], path[i]];
          if (now === undefined || before === undefined || !SERVING.includes(now) || SERVING.includes(before))
            continue;
          if (taken[i - 1] === 'already-serving') continue;
          const sinceStart = path.slice(path.slice(0, i).lastIndexOf('preflight'), i);
          expect(sinceStart).toContain('golden');
          expect(['golden', 'shadow']).toContain(before);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('golden is left forward only by its own verdicts', () => {
    const forward = Object.entries(DEPLOYMENT_TABLE.golden).filter(([, next]) =>
      ['shadow', 'activating'].includes(next),
    );
    expect(forward).toEqual([
      ['golden-passed', 'shadow'],
      ['golden-passed-direct', 'activating'],
    ]);
  });

  test('a deployment never goes back past preflight', () => {
    fc.assert(
      fc.property(walks, ({ path }) => {
        const started = path.indexOf('preflight');
        if (started < 0) return;
        for (const state of path.slice(started)) expect(['queued', 'notified']).not.toContain(state);
      }),
    );
  });

  test('a walk goes in circles only by restarts', () => {
    fc.assert(
      fc.property(walks, ({ path, taken }) => {
        let sinceRestart: DeploymentState[] = [];
        for (const [i, state] of path.entries()) {
          if (i > 0 && taken[i - 1] === 'restarted') sinceRestart = [];
          expect(sinceRestart).not.toContain(state);
          sinceRestart.push(state);
        }
      }),
    );
  });
});
