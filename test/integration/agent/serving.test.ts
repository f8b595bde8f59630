import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import { ProcessRuntime } from '#agent/adapters/worker-process.ts';
import { ShadowJudge, type ShadowPlan } from '#agent/domain/shadow-judge.ts';
import type { SlotName } from '#agent/ports/journal.ts';
import { Serving } from '#agent/supervisor/serving/serving.ts';
import type { ServeAnswer, ServedSlot, WorkerCrash } from '#agent/supervisor/serving/serving-types.ts';
import { digitsLoad, type DigitsVersion } from '#test/fakes/worker-models.ts';

const IMAGE = { image: { dtype: 'UINT8', shape: [28, 28], data: new Uint8Array(784).fill(9) } } as const;
const PLAN: ShadowPlan = { minPairs: 100, latencyMargin: 0.1, alpha: 0.001, maxDisagreementRate: 0.03 };

function service(): {
  serving: Serving;
  crashes: EventTarget;
  slot: (slot: SlotName, version: DigitsVersion) => Promise<ServedSlot>;
} {
  const crashes = new EventTarget();
  const runtime = new ProcessRuntime({ log: () => undefined });
  const serving = new Serving({
    runtime,
    clock: systemClock,
    chance: systemChance,
    throttleEpoch: () => 0,
    listener: { crashed: () => void crashes.dispatchEvent(new Event('crash')) },
  });
  onTestFinished(async () => {
    await serving[Symbol.asyncDispose]();
    await runtime[Symbol.asyncDispose]();
  });
  const slot = async (name: SlotName, version: DigitsVersion): Promise<ServedSlot> => {
    const load = digitsLoad(version);
    const worker = await runtime.spawn(name);
    await worker.load(load);
    await worker.warmUp(10);
    const release = {
      model: 'digits',
      version: Number(version.slice(1)),
      profile: 'cpu-generic',
      weightsSha256: load.contract.weights.sha256,
      sinceMs: 1,
    };
    return { slot: name, release, load, worker };
  };
  return { serving, crashes, slot };
}

/** Four callers without a pause, until told to stop. */
class Load {
  readonly answers: ServeAnswer[] = [];
  #isOver = false;
  readonly #callers: Promise<void>[];

  constructor(serving: Serving) {
    this.#callers = Array.from({ length: 4 }, async () => {
      while (!this.#isOver) this.answers.push(await serving.infer({ inputs: IMAGE }));
    });
  }

  /** Rejects with the first error that a caller met. */
  async stop(): Promise<ServeAnswer[]> {
    this.#isOver = true;
    await Promise.all(this.#callers);
    return this.answers;
  }

  async reached(count: number): Promise<void> {
    while (this.answers.length < count)
      await Promise.race([...this.#callers, new Promise((resolve) => setImmediate(resolve))]);
  }
}

describe('serving on real processes, under load', () => {
  it('swaps there and back without dropping a request', async () => {
    const { serving, slot } = service();
    await serving.swapTo(await slot('a', 'v1'));
    const load = new Load(serving);
    await load.reached(50);
    const next = await slot('b', 'v5');
    await serving.swapTo(next);
    const swapped = load.answers.length;
    await load.reached(swapped + 50);
    await serving.swapBack();
    const back = load.answers.length;
    await load.reached(back + 50);
    const answers = await load.stop();
    expect(answers.slice(swapped, swapped + 40).every(({ release }) => release.version === 5)).toBe(true);
    expect(answers.slice(back).every(({ release }) => release.version === 1)).toBe(true);
    const windows = serving.takeWindow();
    expect(windows.reduce((sum, { requests }) => sum + requests, 0)).toBe(answers.length);
    expect(windows.map(({ errors, rejected }) => errors + rejected)).toEqual([0, 0]);
  });

  it('loses no request when the worker is killed in the middle of them', async () => {
    const { serving, crashes, slot } = service();
    const first = await slot('a', 'v1');
    await serving.swapTo(first);
    const load = new Load(serving);
    await load.reached(20);
    const crashed = once(crashes, 'crash');
    process.kill(first.worker.pid, 'SIGKILL');
    await crashed;
    await load.reached(load.answers.length + 50);
    await load.stop();
    expect(serving.takeWindow()).toMatchObject([{ errors: 0, rejected: 0 }]);
  });

  it('finds version 3 slower on live frames, while every caller is answered by version 1', async () => {
    const { serving, slot } = service();
    await serving.swapTo(await slot('a', 'v1'));
    const candidate = await slot('b', 'v3');
    const judge = new ShadowJudge(PLAN);
    const load = new Load(serving);
    const decided = new Promise<void>((resolve, reject) => {
      serving.shadow(candidate, {
        pair: (pair) => {
          if (judge.observe(pair) !== 'continue') resolve();
        },
        lost: ({ detail }: WorkerCrash) => reject(new Error(detail)),
      });
    });
    await decided;
    await serving.dropCandidate();
    const answers = await load.stop();
    const { decision, reason, evidence } = judge.judgement(1);
    expect([decision, reason]).toEqual(['fail', 'latency-regression']);
    expect(evidence[0]?.ratio).toBeGreaterThan(1.3);
    expect(judge.pairs).toBeLessThan(200);
    expect(answers.every(({ release }) => release.version === 1)).toBe(true);
    expect(serving.takeWindow()).toMatchObject([{ errors: 0, rejected: 0 }]);
  });

  it('passes the same version as its own candidate', async () => {
    const { serving, slot } = service();
    await serving.swapTo(await slot('a', 'v1'));
    const candidate = await slot('b', 'v1');
    const judge = new ShadowJudge({ ...PLAN, minPairs: 50 });
    const load = new Load(serving);
    await new Promise<void>((resolve) => {
      serving.shadow(candidate, {
        pair: (pair) => void (judge.observe(pair) !== 'continue' && resolve()),
        lost: () => resolve(),
      });
    });
    await load.stop();
    expect(judge.decision).toBe('pass');
  });

  it('a candidate that is killed in the middle of pairs costs no caller anything', async () => {
    const { serving, slot } = service();
    await serving.swapTo(await slot('a', 'v1'));
    const candidate = await slot('b', 'v5');
    const load = new Load(serving);
    let pairs = 0;
    const lost = new Promise<void>((resolve) => {
      serving.shadow(candidate, {
        pair: () => {
          if (++pairs === 10) process.kill(candidate.worker.pid, 'SIGKILL');
        },
        lost: () => resolve(),
      });
    });
    await lost;
    await load.reached(load.answers.length + 20);
    await load.stop();
    expect(serving.takeWindow()).toMatchObject([{ errors: 0, rejected: 0 }]);
  });
});
