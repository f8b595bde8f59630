import { expect, test } from 'vitest';
import { jsonLogger } from '#agent/adapters/logger.ts';
import { HoldfastError } from '#protocol/errors.ts';

function lines(level: 'debug' | 'info' = 'info'): {
  logger: ReturnType<typeof jsonLogger>;
  written: () => unknown[];
} {
  const written: string[] = [];
  const logger = jsonLogger({ write: (line: string) => written.push(line) }, { nowMs: () => 7 }, level);
  return { logger, written: () => written.map((line) => JSON.parse(line) as unknown) };
}

test('writes one JSON object a line, with time, level and fields', () => {
  const { logger, written } = lines();
  logger.info('connected', { url: 'mqtts://x', count: 3n });
  logger.debug('not at this level');
  logger.error('two\nlines');
  expect(written()).toEqual([
    { atMs: 7, level: 'info', msg: 'connected', url: 'mqtts://x', count: '3' },
    { atMs: 7, level: 'error', msg: 'two\nlines' },
  ]);
});

test('tells an error by code, message, hint and cause', () => {
  const { logger, written } = lines();
  const cause = new Error('ECONNREFUSED');
  logger.warn('no', { error: new HoldfastError('unavailable', 'nobody there', { hint: 'start it', cause }) });
  expect(written()).toEqual([
    {
      atMs: 7,
      level: 'warn',
      msg: 'no',
      error: {
        code: 'unavailable',
        message: 'nobody there',
        hint: 'start it',
        cause: { name: 'Error', message: 'ECONNREFUSED' },
      },
    },
  ]);
});

test('shortens a line that would flood the log', () => {
  const { logger, written } = lines();
  logger.info('big', { text: 'x'.repeat(100_000) });
  expect(written()).toEqual([{ atMs: 7, level: 'info', msg: 'big', shortened: true }]);
});
