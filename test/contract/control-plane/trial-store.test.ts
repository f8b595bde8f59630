// What both databases promise of trials and choices.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  findTrial, insertTrial, listChoices, putChoice, type MadeTrial, type TrialSource,
} from '#control-plane/registry/trial-store.ts'; // prettier-ignore
import { skipWithout } from '#test/skip-reason.ts';
import { temporaryStore, type TemporaryStore } from '#test/temporary-store.ts';
import { postgresFound, startPostgres, type ThrowawayPostgres } from '#test/throwaway-postgres.ts';

const SOURCE: TrialSource = { recipe: { kind: 'fp16' }, calibrationSha256: null, evaluationSha256: null };

const trial = (sizeBytes: number): MadeTrial => ({
  recipe: SOURCE.recipe,
  precision: 'fp16',
  weights: { sha256: 'a'.repeat(64), sizeBytes },
  accuracy: 0.98,
  p95Ms: 1.5,
  memoryBytes: 5_000_000_000,
  report: null,
  comparison: null,
  evaluation: null,
});

describe('SQLite', () => {
  promises(() => Promise.resolve(undefined));
});

describe.skipIf(skipWithout('PostgreSQL', postgresFound(), 'install it, or set HOLDFAST_TEST_DATABASE_URL'))(
  'PostgreSQL',
  () => {
    let postgres: ThrowawayPostgres;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres[Symbol.asyncDispose]());
    promises(() => postgres.newDatabase());
  },
);

function promises(newDatabase: () => Promise<string | undefined>): void {
  let temporary: TemporaryStore;

  beforeEach(async () => {
    temporary = await temporaryStore(await newDatabase());
    const { db } = temporary.store;
    await db.insertInto('models').values({ name: 'digits', created_at_ms: 1 }).execute();
    await db
      .insertInto('versions')
      .values({
        model: 'digits', version: 1, contract_sha256: 'x', json_contract: '{}', json_evaluation: null, created_at_ms: 1,
      })
      .execute(); // prettier-ignore
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  it('a trial is found again by what it came from, and by nothing else', async () => {
    const { db } = temporary.store;
    await insertTrial(db, 'digits', 1, SOURCE, trial(10), 1);
    expect(await findTrial(db, 'digits', 1, SOURCE)).toEqual(trial(10));
    expect(await findTrial(db, 'digits', 2, SOURCE)).toBeNull();
    const otherData = { ...SOURCE, evaluationSha256: 'e'.repeat(64) };
    expect(await findTrial(db, 'digits', 1, otherData)).toBeNull();
    expect(await findTrial(db, 'digits', 1, { ...SOURCE, recipe: { kind: 'original' } })).toBeNull();
  });

  it('the first of two equal trials stays', async () => {
    const { db } = temporary.store;
    await insertTrial(db, 'digits', 1, SOURCE, trial(10), 1);
    await insertTrial(db, 'digits', 1, SOURCE, trial(20), 2);
    expect((await findTrial(db, 'digits', 1, SOURCE))?.weights.sizeBytes).toBe(10);
  });

  it('a choice takes the place of the one before it; choices are told by profile', async () => {
    const { db } = temporary.store;
    const { evaluation: _evaluation, ...made } = trial(10);
    const candidate = { ...made, verdict: 'over-budget', why: 'too big', device: null } as const;
    await putChoice(db, 'digits', 1, { profile: 'b', decidedAtMs: 1, candidates: [] });
    await putChoice(db, 'digits', 1, { profile: 'a', decidedAtMs: 2, candidates: [candidate] });
    await putChoice(db, 'digits', 1, { profile: 'b', decidedAtMs: 3, candidates: [candidate] });
    expect(await listChoices(db, 'digits', 1)).toEqual([
      { profile: 'a', decidedAtMs: 2, candidates: [candidate] },
      { profile: 'b', decidedAtMs: 3, candidates: [candidate] },
    ]);
  });
}
