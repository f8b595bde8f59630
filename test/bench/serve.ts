// The agent's way over HTTP against the bare session.run loop with as many loops as there are clients.
// Rounds of both sides alternate, so that a machine that slows down slows both; medians over the rounds.

import { BENCH_MODELS, type BenchModel } from './serve-models.ts';
import { rawSide, servedSide, type RoundTimes, type Side } from './serve-side.ts';
import { textTable } from './text-table.ts';

export interface ServeCase {
  readonly model: BenchModel;
  readonly clients: number;
  readonly rawPerS: number;
  readonly servedPerS: number;
  /** servedPerS over rawPerS, round by round. */
  readonly ratio: number;
  readonly rawP50Ms: number;
  readonly p50AddedMs: number;
  readonly p99Ratio: number;
}

const CLIENTS = [1, 4];
const WARM_UP_S = 0.5;

export async function benchServe(options: {
  rounds: number;
  seconds: number;
  progress: (line: string) => void;
}): Promise<ServeCase[]> {
  const cases: ServeCase[] = [];
  for (const model of BENCH_MODELS) {
    await using raw = await rawSide(model);
    await using served = await servedSide(model);
    for (const clients of CLIENTS) {
      options.progress(
        `${model}, ${clients} ${clients === 1 ? 'client' : 'clients'}: ${options.rounds} rounds of ${2 * options.seconds} s`,
      );
      cases.push({ model, clients, ...(await compare(raw, served, clients, options)) });
    }
  }
  return cases;
}

export function serveTable(cases: readonly ServeCase[]): string {
  const rows = cases.map((c) => [
    c.model, String(c.clients), c.rawPerS.toFixed(0), c.servedPerS.toFixed(0), c.ratio.toFixed(3), c.rawP50Ms.toFixed(2),
    c.p50AddedMs.toFixed(2), c.p99Ratio.toFixed(2),
  ]); // prettier-ignore
  return textTable(
    ['model', 'clients', 'raw /s', 'served /s', 'ratio', 'raw p50 ms', 'p50 added ms', 'p99 ratio'],
    rows,
  );
}

async function compare(
  raw: Side,
  served: Side,
  clients: number,
  { rounds, seconds }: { rounds: number; seconds: number },
) {
  await raw.round({ clients, seconds: WARM_UP_S });
  await served.round({ clients, seconds: WARM_UP_S });
  const seen: { raw: Round; served: Round }[] = [];
  for (let round = 0; round < rounds; round++) {
    const measured = {
      raw: summary(await raw.round({ clients, seconds })),
      served: summary(await served.round({ clients, seconds })),
    };
    seen.push(measured);
  }
  return {
    rawPerS: median(seen.map((round) => round.raw.perS)),
    servedPerS: median(seen.map((round) => round.served.perS)),
    ratio: median(seen.map((round) => round.served.perS / round.raw.perS)),
    rawP50Ms: median(seen.map((round) => round.raw.p50Ms)),
    p50AddedMs: median(seen.map((round) => round.served.p50Ms - round.raw.p50Ms)),
    p99Ratio: median(seen.map((round) => round.served.p99Ms / round.raw.p99Ms)),
  };
}

interface Round {
  readonly perS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

function summary({ latenciesMs, elapsedMs }: RoundTimes): Round {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const quantile = (q: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
  return { perS: (1_000 * sorted.length) / elapsedMs, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
