// docs/broker.md says what the code does.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '#control-plane/broker/limits.ts';
import { isReadByDevice, isRetained, TOPIC_LEAVES } from '#protocol/topics.ts';
import { ATTEMPTS } from '#test/contract/control-plane/broker-attempts.ts';

const page = readFileSync(new URL('../../../../docs/broker.md', import.meta.url), 'utf8');

/** Cells of the table that begins with this heading, by row, without the backticks. */
function tableOf(heading: string): string[][] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

test('the rules are those of the protocol', () => {
  const rules = TOPIC_LEAVES.map((leaf) => [
    leaf,
    isReadByDevice(leaf) ? 'reads' : 'writes',
    isRetained(leaf) ? 'yes' : 'no',
  ]);
  expect(tableOf('leaf')).toEqual(rules);
});

test('the limits are those of the broker', () => {
  const limits = Object.entries(DEFAULT_LIMITS).map(([name, value]) => [name, String(value)]);
  expect(tableOf('limit').map(([name, value]) => [name, value])).toEqual(limits);
});

test('it names everything that a broker outside is known to let through', () => {
  const text = page.replaceAll(/\s+/g, ' ');
  const reasons = new Set(ATTEMPTS.flatMap(({ outside }) => outside ?? []));
  expect(reasons.size).toBeGreaterThan(4);
  expect([...reasons].filter((reason) => !text.includes(reason))).toEqual([]);
});
