import { describe, expect, it } from 'vitest';
import { benchServe, serveTable } from '#test/bench/serve.ts';

describe('the serve benchmark', () => {
  it('measures both models with one client and with four', async () => {
    const cases = await benchServe({ rounds: 1, seconds: 0.3, progress: () => undefined });
    expect(cases.map(({ model, clients }) => [model, clients])).toEqual([
      ['digits', 1], ['digits', 4], ['text-detection', 1], ['text-detection', 4],
    ]); // prettier-ignore
    for (const { rawPerS, servedPerS, ratio, p50AddedMs, p99Ratio } of cases) {
      for (const value of [rawPerS, servedPerS, ratio, p99Ratio]) expect(value).toBeGreaterThan(0);
      expect(p50AddedMs).not.toBeNaN();
    }
    expect(
      cases.filter(({ model }) => model === 'text-detection').every(({ rawP50Ms }) => rawP50Ms >= 5),
    ).toBe(true);
    expect(serveTable(cases).trim().split('\n')).toHaveLength(5);
  });
});
