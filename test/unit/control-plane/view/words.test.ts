import { describe, expect, it } from 'vitest';
import { agoInWords, durationInWords, percentInWords, sizeInWords } from '#control-plane/view/words.ts';

describe('numbers in words', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_500, '1.5 kB'],
    [239_104, '239.1 kB'],
    [5_000_000_000, '5.0 GB'],
  ])('says %i bytes as %s', (sizeBytes, words) => expect(sizeInWords(sizeBytes)).toBe(words));

  it.each([
    [-5, '0 s'],
    [119_000, '119 s'],
    [180_000, '3 min'],
    [7_200_000, '2 h'],
    [259_200_000, '3 d'],
  ])('says %i ms as %s', (durationMs, words) => expect(durationInWords(durationMs)).toBe(words));

  it('says never for what has not happened', () => {
    expect(agoInWords(null, 5)).toBe('never');
    expect(agoInWords(1_000, 4_000)).toBe('3 s ago');
  });

  it('rounds shares to percent', () => expect(percentInWords(0.98765, 2)).toBe('98.77 %'));
});
