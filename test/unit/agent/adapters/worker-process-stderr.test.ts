import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { StderrLines } from '#agent/adapters/worker-process-stderr.ts';

async function linesOf(parts: readonly string[]): Promise<{ lines: string[]; tail: string }> {
  const stream = new PassThrough();
  const lines: string[] = [];
  const stderr = new StderrLines(stream, (line) => lines.push(line));
  for (const part of parts) stream.write(part);
  await new Promise((resolve) => stream.once('end', resolve).end());
  return { lines, tail: stderr.tail };
}

describe("a worker's standard error", () => {
  it('comes in lines, however it is cut, the last without its end', async () => {
    expect((await linesOf(['one\ntw', 'o\n\nthr', 'ee'])).lines).toEqual(['one', 'two', 'three']);
  });

  it('is bounded in length, also of a line that never ends', async () => {
    const { lines } = await linesOf([`${'x'.repeat(5_000)}\n`, 'y'.repeat(900_000), 'y'.repeat(900_000)]);
    expect(lines.map((line) => line.length)).toEqual([1_000, 1_000]);
  });

  it('is bounded in number, and says when lines are dropped', async () => {
    const { lines, tail } = await linesOf([Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join('')]);
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toContain('dropped');
    expect(tail).toBe('line 495 | line 496 | line 497 | line 498 | line 499');
  });
});
