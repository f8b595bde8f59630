import { CommanderError } from 'commander';
import { describe, expect, test, vi } from 'vitest';
import { readConfig } from '#agent/config.ts';

const read = (argv: string[], env: NodeJS.ProcessEnv = {}): ReturnType<typeof readConfig> =>
  readConfig(argv, env, '1.2.3');

test('has a default for all that a later start does not need', () => {
  expect(read([])).toEqual({
    dataDir: './.holdfast-agent',
    httpPort: 8_090,
    telemetryWindowMs: 5_000,
    pollMs: 60_000,
    logLevel: 'info',
  });
});

test('takes flags, and the same by environment; a flag wins', () => {
  const env = {
    HOLDFAST_SERVER: 'https://plane.example',
    HOLDFAST_CLAIM: 'hfc.env',
    HOLDFAST_PROFILE: 'x86-cpu',
    HOLDFAST_DATA_DIR: '/var/lib/holdfast',
    HOLDFAST_AGENT_HTTP_PORT: '9000',
  };
  expect(read([], env)).toMatchObject({
    server: 'https://plane.example', claim: 'hfc.env', profile: 'x86-cpu', dataDir: '/var/lib/holdfast', httpPort: 9_000,
  }); // prettier-ignore
  expect(read(['--claim', 'hfc.flag', '--http-port', '0'], env)).toMatchObject({
    claim: 'hfc.flag',
    httpPort: 0,
  });
});

test('an empty variable is as good as none', () => {
  expect(read([], { HOLDFAST_SERVER: '', HOLDFAST_CLAIM: '', HOLDFAST_AGENT_HTTP_PORT: '' })).toMatchObject({
    httpPort: 8_090,
  });
});

describe('a wrong setting', () => {
  test.each([
    [['--server', 'ftp://x'], {}, '--server'],
    [['--server', 'not a url'], {}, '--server'],
    [['--profile', 'Jetson Orin'], {}, '--profile'],
    [['--http-port', '70000'], {}, '--http-port'],
    [['--telemetry-window-ms', '1'], {}, '--telemetry-window-ms'],
    [['--data-dir', 'x'.repeat(5_000)], {}, '--data-dir'],
    [['--log-level', 'loud'], {}, '--log-level'],
    [[], { HOLDFAST_AGENT_HTTP_PORT: 'eighty' }, 'HOLDFAST_AGENT_HTTP_PORT'],
  ] as [string[], NodeJS.ProcessEnv, string][])('%j %j is named', (argv, env, name) => {
    expect(() => read(argv, env)).toThrow(
      expect.objectContaining({
        code: 'bad-config',
        message: expect.stringContaining(name),
        hint: expect.stringContaining('--help'),
      }),
    );
  });

  test('that no flag has is refused by name', () => {
    const errors = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(() => read(['--prot', '1'])).toThrow(CommanderError);
    expect(errors.mock.calls.join('')).toContain('--prot');
    errors.mockRestore();
  });
});

test('--help lists every flag with its variable, and never a claim', () => {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  expect(() => read(['--help'], { HOLDFAST_CLAIM: 'hfc.secret' })).toThrow(CommanderError);
  const text = written.mock.calls.join('');
  written.mockRestore();
  for (const flag of [
    '--server',
    '--claim',
    '--profile',
    '--data-dir',
    '--http-port',
    '--telemetry-window-ms',
  ]) {
    expect(text).toContain(flag);
  }
  expect(text).toContain('HOLDFAST_AGENT_HTTP_PORT');
  expect(text).not.toContain('hfc.secret');
});
