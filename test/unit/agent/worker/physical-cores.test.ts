import { describe, expect, it } from 'vitest';
import { countPhysicalCores, intraOpThreads } from '#agent/worker/physical-cores.ts';

describe('threads for a session', () => {
  it.each([[1, 1], [2, 1], [3, 2], [5, 4], [64, 4]])('%d cores give %d', (cores, threads) => {
    expect(intraOpThreads(cores)).toBe(threads);
  }); // prettier-ignore

  it('are counted from whole cores, and from logical ones where the system does not tell', () => {
    expect(countPhysicalCores()).toBeGreaterThanOrEqual(1);
    expect(countPhysicalCores('/nowhere')).toBeGreaterThanOrEqual(countPhysicalCores());
  });
});
