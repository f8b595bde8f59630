import { describe, expect, it } from 'vitest';
import { MeasureRequests } from '#control-plane/fleet/measure-requests.ts';
import { createLogger } from '#control-plane/logger.ts';
import type { MeasureCommand, ReplyBody } from '#protocol/measurement.ts';
import { ReplyWire } from './reply-wire.ts';

const TIMING = { runs: 10, p50Ms: 1, p95Ms: 2, memoryBytes: 3 };
const COMMAND: MeasureCommand = {
  kind: 'measure',
  requestId: 'request-1',
  targetPath: 'digits/1/candidates/0123456789abcdef.json',
  manifest: { sha256: 'a'.repeat(64), sizeBytes: 9 },
  runs: 10,
  deadlineMs: 60_000,
};
const measured: ReplyBody = { kind: 'measured', requestId: 'request-1', timing: TIMING };
const never = new AbortController().signal;

async function listen(patience = { repeatMs: 60_000, graceMs: 60_000 }) {
  const wire = new ReplyWire();
  const logger = createLogger({ level: 'silent', write: () => undefined });
  const { messaging } = wire;
  const requests = await MeasureRequests.listen({
    fleet: 'lab',
    messaging,
    logger,
    nowMs: Date.now,
    patience,
  });
  return { wire, requests };
}

describe('a device that is asked to measure', () => {
  it('is heard when it answers', async () => {
    const { wire, requests } = await listen();
    wire.onAsked = () => wire.answer('edge-1', measured);
    expect(await requests.ask('edge-1', COMMAND, never)).toEqual(measured);
    expect(wire.asked).toEqual([['edge-1', COMMAND]]);
  });

  it('is asked again until it answers, also when the connection was away', async () => {
    const { wire, requests } = await listen({ repeatMs: 2, graceMs: 60_000 });
    wire.failures = 2;
    wire.onAsked = () => wire.asked.length === 3 && wire.answer('edge-1', measured);
    expect(await requests.ask('edge-1', COMMAND, never)).toEqual(measured);
    expect(wire.failures).toBeLessThan(0);
    expect(wire.asked[2]).toEqual(['edge-1', COMMAND]);
  });

  it('that never answers is given up after the deadline', async () => {
    const { requests } = await listen({ repeatMs: 5, graceMs: 10 });
    expect(await requests.ask('edge-1', { ...COMMAND, deadlineMs: 10 }, never)).toBeNull();
  });

  it('is not waited for any longer when nobody wants to know', async () => {
    const { wire, requests } = await listen();
    const stopping = new AbortController();
    wire.onAsked = () => stopping.abort();
    await expect(requests.ask('edge-1', COMMAND, stopping.signal)).rejects.toMatchObject({
      code: 'cancelled',
    });
    await expect(requests.ask('edge-1', COMMAND, stopping.signal)).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(wire.asked).toHaveLength(1);
  });

  it('is not answered for by another, nor by an answer to something else, nor by nonsense', async () => {
    const { wire, requests } = await listen();
    const other: ReplyBody = { ...measured, timing: { ...TIMING, p50Ms: 0 } };
    wire.onAsked = () => {
      wire.say('edge-1', '{');
      wire.answer('edge-2', other);
      wire.answer('edge-1', { ...other, requestId: 'request-0' });
      wire.answer('edge-1', measured);
      wire.answer('edge-1', other);
    };
    expect(await requests.ask('edge-1', COMMAND, never)).toEqual(measured);
  });
});
