import { expect, it } from 'vitest';
import { readArguments } from '#agent/tuf-command/arguments.ts';

const ADDRESS = ['--metadata-dir', 'd', '--metadata-url', 'http://localhost:80/a%5B/metadata'];

it('reads each command, with bases that end with a slash', () => {
  expect(readArguments(['--metadata-dir', 'd', 'init', 'root.json'])).toEqual({
    name: 'init',
    metadataDir: 'd',
    rootPath: 'root.json',
  });
  const refresh = { name: 'refresh', metadataDir: 'd', metadataUrl: 'http://localhost/a%5B/metadata/' };
  expect(readArguments([...ADDRESS, 'refresh'])).toEqual(refresh);
  const target = ['--target-name', 'x', '--target-base-url', 'https://localhost/t/', '--target-dir', 't'];
  expect(readArguments([...target, ...ADDRESS, 'download'])).toEqual({
    ...refresh,
    name: 'download',
    targetName: 'x',
    targetUrl: 'https://localhost/t/',
    targetDir: 't',
  });
  expect(readArguments(['--help'])).toEqual({ name: 'help' });
});

it.each([
  [[]],
  [['refresh']],
  [['--metadata-dir', 'd', 'init']],
  [['--metadata-dir', 'd', 'init', 'a', 'b']],
  [['--metadata-dir', '', 'init', 'a']],
  [['--metadata-dir', 'd', 'refresh']],
  [['--metadata-dir', 'd', '--metadata-url', 'file:///etc', 'refresh']],
  [['--metadata-dir', 'd', '--metadata-url', 'http://localhost/?a', 'refresh']],
  [['--metadata-dir', 'd', '--metadata-url', 'nothing', 'refresh']],
  [[...ADDRESS, 'refresh', 'more']],
  [[...ADDRESS, 'download']],
  [[...ADDRESS, '--target-name', 'x', 'download']],
  [[...ADDRESS, '--unknown', 'refresh']],
  [[...ADDRESS, 'other']],
])('refuses %j', (args) => {
  expect(() => readArguments(args)).toThrow(expect.objectContaining({ code: 'bad-config' }));
});
