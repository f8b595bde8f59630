import { expect, it } from 'vitest';
import { createLogger } from '#control-plane/logger.ts';
import { HoldfastError } from '#protocol/errors.ts';

const lines: string[] = [];
const log = createLogger({ level: 'info', write: (line) => lines.push(line), nowMs: () => 7 });
const last = (): unknown => JSON.parse(lines.at(-1) ?? '');

it('writes one JSON line a call, with the fields it was given before and now', () => {
  log.with({ device: 'edge-1' }).info('hello\nthere', { n: 1 });
  expect(lines.at(-1)?.match(/\n/g)).toHaveLength(1);
  expect(last()).toEqual({ atMs: 7, level: 'info', msg: 'hello\nthere', device: 'edge-1', n: 1 });
});

it('leaves out what is below its level', () => {
  const before = lines.length;
  log.debug('too much');
  createLogger({ level: 'silent', write: (line) => lines.push(line) }).error('not even this');
  expect(lines.length).toBe(before);
});

it('tells errors whole: code, hint and cause', () => {
  log.warn('failed', { error: new HoldfastError('disk-full', 'full', { hint: 'free some', cause: 12n }) });
  expect(last()).toMatchObject({
    error: { code: 'disk-full', message: 'full', hint: 'free some', cause: '12' },
  });
});
