import { describe, expect, it } from 'vitest';
import { readConfig } from '#control-plane/config.ts';

const read = (flags: string[] = [], env: Record<string, string> = {}) => readConfig(flags, env, '1.2.3');

describe('the settings', () => {
  it('keep everything on this machine until they say otherwise', () => {
    expect(read()).toEqual({
      httpPort: 8080,
      httpHost: '127.0.0.1',
      mqttPort: 8883,
      gatewayPort: 8443,
      deviceHost: '127.0.0.1',
      publicHost: '127.0.0.1',
      dataDir: './.holdfast',
      fleet: 'default',
      logLevel: 'info',
      maxUploadBytes: 8 * 1024 ** 3,
      fetchHosts: [],
      maxModelBytes: 256 * 1024 ** 2,
      trustedProxies: [],
      rateReads: 3_000,
      rateWrites: 600,
      rateUploads: 1_200,
      rateLogins: 60,
      oidcScopes: 'openid email',
      oidcGroupsClaim: 'groups',
    });
  });

  it('are taken from the environment, and flags go before it', () => {
    const env = {
      HOLDFAST_HTTP_PORT: '1',
      HOLDFAST_FLEET: 'lab',
      DATABASE_URL: 'postgres://h/db',
      MQTT_URL: '',
    };
    expect(read(['--http-port', '2'], env)).toMatchObject({
      httpPort: 2,
      fleet: 'lab',
      databaseUrl: 'postgres://h/db',
    });
    expect(read([], env)).not.toHaveProperty('mqttUrl');
  });

  it('let devices in from outside once the control plane has a public name', () => {
    expect(read([], { HOLDFAST_PUBLIC_HOST: 'fleet.example' }).deviceHost).toBe('0.0.0.0');
    expect(read([], { HOLDFAST_PUBLIC_HOST: 'localhost' }).deviceHost).toBe('127.0.0.1');
  });

  it.each([
    [{ HOLDFAST_HTTP_PORT: '65536' }, 'httpPort'],
    [{ HOLDFAST_HTTP_PORT: '-1' }, 'HOLDFAST_HTTP_PORT'],
    [{ HOLDFAST_PUBLIC_HOST: 'a b' }, 'publicHost'],
    [{ HOLDFAST_FLEET: 'a/b' }, 'fleet'],
    [{ MQTT_URL: 'http://x' }, 'mqttUrl'],
  ])('%o are refused by name', (env, said) => {
    expect(() => read([], env as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'bad-config', message: expect.stringContaining(said) as string }),
    );
  });
});
