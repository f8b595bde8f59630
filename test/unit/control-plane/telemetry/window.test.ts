import { describe, expect, test } from 'vitest';
import { windowProblem } from '#control-plane/telemetry/window.ts';
import { sketchOf } from '#protocol/latency-sketch.ts';
import type { TelemetryBody } from '#protocol/messages.ts';
import { telemetryBody } from '#test/fixtures/protocol/sample-messages.ts';

const sketch = sketchOf([1, 2, 4]);

describe('a telemetry window', () => {
  test('is believed when its counts fit together', () => {
    expect(windowProblem(telemetryBody())).toBeNull();
    const idle = { requests: 0, labelled: 0, correct: 0, latency: sketchOf([]) };
    expect(windowProblem(telemetryBody(idle))).toBeNull();
  });

  test.each<[string, Partial<TelemetryBody>]>([
    ['ends before it begins', { windowStartMs: 10, windowEndMs: 9 }],
    ['spans more than a day', { windowStartMs: 0, windowEndMs: 86_400_001 }],
    ['has more requests than any device could serve', { requests: 1_000_000_001 }],
    ['has more errors than requests', { errors: 4 }],
    ['has more labels than requests', { labelled: 4 }],
    ['has more right answers than labels', { correct: 3 }],
    ['has a sketch that counts other than its bins', { latency: { ...sketch, count: 4 } }],
    ['has bins out of order', { latency: { ...sketch, bins: sketch.bins.toReversed() } }],
    [
      'has a bin twice',
      {
        latency: {
          ...sketch,
          count: 2,
          bins: [
            [1, 1],
            [1, 1],
          ],
        },
      },
    ],
    ['has a least latency above the greatest', { latency: { ...sketch, minMs: 5 } }],
  ])('is not believed when it %s', (_what, change) => {
    expect(windowProblem(telemetryBody(change))).not.toBeNull();
  });
});
