import { describe, expect, it } from 'vitest';
import { collectLabel, parseCount, parseDuration, parseWaves } from '#control-plane/cli/parse.ts';

describe('option values', () => {
  it.each([
    ['90', 90_000],
    ['250ms', 250],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('reads the duration %s', (text, durationMs) => expect(parseDuration(text)).toBe(durationMs));

  it.each(['', 'soon', '-5s', '5 s', '5w'])('refuses the duration "%s"', (text) =>
    expect(() => parseDuration(text)).toThrow('give a duration'),
  );

  it('reads waves as counts and percentages, each with its own soak or the common one', () => {
    expect(parseWaves('1:5m,10%,100%:0s', 1_000)).toEqual([
      { size: { count: 1 }, soakMs: 300_000 },
      { size: { percent: 10 }, soakMs: 1_000 },
      { size: { percent: 100 }, soakMs: 0 },
    ]);
    expect(() => parseWaves('1,ten', 0)).toThrow('"ten" is no wave');
  });

  it('reads counts from 1', () => {
    expect(parseCount('12')).toBe(12);
    for (const text of ['0', '-1', '1.5', 'x', '']) expect(() => parseCount(text)).toThrow();
  });

  it('collects labels, and the value may hold an equals sign', () => {
    expect(collectLabel('b=2=3', collectLabel('a=1'))).toEqual({ a: '1', b: '2=3' });
    expect(() => collectLabel('=x')).toThrow('key=value');
  });
});
