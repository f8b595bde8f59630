import { expect, it } from 'vitest';
import { choiceView } from '#control-plane/view/candidate-view.ts';
import type { Candidate } from '#protocol/compression.ts';

const candidate: Candidate = {
  recipe: { kind: 'fp16' },
  precision: 'fp16',
  verdict: 'proposed',
  why: 'the fastest within the budgets',
  weights: { sha256: 'a'.repeat(64), sizeBytes: 75_199 },
  accuracy: 0.981,
  p95Ms: 1.234,
  memoryBytes: 90_000_000,
  report: {
    sizeBytesBefore: 239_104,
    sizeBytesAfter: 75_199,
    opsBefore: { Conv: 2, Relu: 1 },
    opsAfter: { Cast: 2, Conv: 2, Relu: 1 },
    lowered: { Conv: 2 },
    folded: {},
    float: { Relu: 1 },
    leftInFloat: ['Relu'],
    notes: ['kept Relu'],
    calibrationSamples: 5,
    sqnrDb: 30,
    outputs: [
      { name: 'boxes', sqnrDb: null },
      { name: 'logits', sqnrDb: 30 },
    ],
    worstLayers: [{ name: 'conv1', opType: 'Conv', sqnrDb: 20.04 }],
    phasesMs: {},
  },
  comparison: {
    accuracyChange: -0.002,
    perClassChange: [
      { label: 'cat', change: 0.01 },
      { label: 'dog', change: -0.014 },
      { label: 'cow', change: 0 },
    ],
    latencyRatio: { median: 0.712, low: 0.66, high: 0.784, pairs: 200 },
    disagreements: [{ sample: 7, truth: 1, original: 1, variant: -1 }],
  },
  device: null,
};

const LABELS = ['cat', 'dog'];
const view = (...candidates: Candidate[]) =>
  choiceView({ profile: 'x86-cpu', decidedAtMs: 0, candidates }, LABELS);

it('tells what the profile gets and why, with the numbers of each candidate', () => {
  const { outcome, tone, rows } = view(candidate);
  expect({ outcome, tone }).toEqual({ outcome: 'fp16', tone: 'good' });
  expect(rows[0]).toMatchObject({
    recipe: 'fp16', verdict: 'proposed', tone: 'good', accuracy: '98.10 %', p95: '1.23 ms', measuredOn: 'this machine',
    ratio: '0.71 (0.66–0.78)', size: '75.2 kB', memory: '90.0 MB',
  }); // prettier-ignore
});

it("shows a device's measurements before this machine's", () => {
  const device = { deviceId: 'edge-1', runs: 50, p50Ms: 4, p95Ms: 5, memoryBytes: 2_000_000 };
  expect(view({ ...candidate, device }).rows[0]).toMatchObject({
    p95: '5.00 ms',
    memory: '2.0 MB',
    measuredOn: 'edge-1',
  });
});

it('shows what the compression did: noise, worst layers, operators, decisions', () => {
  expect(view(candidate).rows[0]?.report).toEqual({
    size: '239.1 kB before, 75.2 kB after',
    outputs: [
      { name: 'logits', value: '30.0 dB' },
      { name: 'boxes', value: 'no noise' },
    ],
    worstLayers: [{ name: 'Conv conv1', value: '20.0 dB' }],
    operators: [
      { operator: 'Cast', before: 0, after: 2 },
      { operator: 'Conv', before: 2, after: 2 },
      { operator: 'Relu', before: 1, after: 1 },
    ],
    leftInFloat: 'Relu',
    notes: ['kept Relu'],
  });
});

it('shows which classes and which samples changed, worst first', () => {
  expect(view(candidate).rows[0]?.comparison).toEqual({
    accuracyChange: '−0.20 points',
    classes: [
      { name: 'dog', value: '−1.40 points' },
      { name: 'cat', value: '+1.00 points' },
    ],
    examples: ['sample 7: dog became nothing, truly dog'],
  });
});

it('says when nothing is proposed, and leaves out what a failed candidate has not', () => {
  const failed: Candidate = {
    ...candidate, verdict: 'failed', why: 'no', weights: null, accuracy: null, p95Ms: null, memoryBytes: null,
    report: null, comparison: null,
  }; // prettier-ignore
  const { outcome, tone, rows } = view(failed);
  expect(outcome).toMatch(/^nothing is proposed/);
  expect(tone).toBe('attention');
  expect(rows[0]).toMatchObject({ tone: 'bad', accuracy: null, p95: null, measuredOn: null, ratio: null, size: null, memory: null, report: null, comparison: null }); // prettier-ignore
});
