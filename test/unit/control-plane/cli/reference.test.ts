import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { cliReference } from '#test/build/write-cli-reference.ts';

it('has a reference that says what the commands say (node test/build/write-cli-reference.ts writes it)', () => {
  const written = readFileSync(new URL('../../../../docs/cli.md', import.meta.url), 'utf8');
  expect(written).toBe(cliReference());
});
