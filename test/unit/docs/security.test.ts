// docs/security.md says which test shows what: none of them may be missing, and no attack may be left out.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';

const PAGE = new URL('../../../docs/security.md', import.meta.url);
const LINK = /\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g;
/** Folders of which every test belongs to a row. */
const WHOLE = ['attacks', 'hostile', 'tuf-conformance'];

const linked = [...readFileSync(PAGE, 'utf8').matchAll(LINK)].map(([, path]) => path as string);

it('names no test that is not there', () => {
  expect(linked.length).toBeGreaterThan(30);
  expect(linked.filter((path) => !existsSync(new URL(path, PAGE)))).toEqual([]);
});

it.each(WHOLE)('leaves out none of the tests of %s', (folder) => {
  const url = new URL(`../../integration/${folder}/`, import.meta.url);
  const tests = readdirSync(url).filter((name) => name.endsWith('.test.ts'));
  const missing = tests.filter((name) => !linked.includes(`../test/integration/${folder}/${name}`));
  expect(missing).toEqual([]);
});
