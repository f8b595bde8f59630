// A real Mosquitto that runs with the files Holdfast generates for it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mosquittoAcl, mosquittoConf, opensslCrlPem } from '#control-plane/broker/mosquitto.ts';
import { MOSQUITTO_FILES } from '#protocol/api.ts';
import { SERVICE_NAMES } from '#control-plane/trust/device-ca.ts';
import type { TlsCredentials } from '#control-plane/broker/tls-credentials.ts';

export interface MosquittoOptions {
  readonly program: string;
  readonly fleet: string;
  readonly tls: TlsCredentials;
  /** Appended to the generated list: what a test must see that the control plane need not. */
  readonly extraAcl?: string;
}

export interface RunningMosquitto extends AsyncDisposable {
  readonly port: number;
}

export async function startMosquitto(options: MosquittoOptions): Promise<RunningMosquitto> {
  const { program, fleet, tls, extraAcl = '' } = options;
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-mosquitto-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const port = await freePort();
  const hasRevocationList = tls.crlPem !== undefined;
  const files = {
    [MOSQUITTO_FILES.acl]: mosquittoAcl(fleet, SERVICE_NAMES) + extraAcl,
    [MOSQUITTO_FILES.ca]: tls.caPem,
    [MOSQUITTO_FILES.crl]: opensslCrlPem(tls.crlPem ?? ''),
    [MOSQUITTO_FILES.conf]: mosquittoConf({ directory, port, hasRevocationList }),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  stack.use(await runMosquitto(program, directory, tls));
  const owned = stack.move();
  return { port, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** With the files in a folder; those of the broker itself are written beside them. */
export async function runMosquitto(
  program: string,
  directory: string,
  { certificatePem, privateKeyPem }: TlsCredentials,
): Promise<AsyncDisposable> {
  await writeFile(join(directory, MOSQUITTO_FILES.certificate), certificatePem);
  await writeFile(join(directory, MOSQUITTO_FILES.key), privateKeyPem, { mode: 0o600 });
  const conf = join(directory, MOSQUITTO_FILES.conf);
  // As root Mosquitto becomes a user that cannot read this folder.
  if (process.getuid?.() === 0) await appendFile(conf, 'user root\n');
  const child = spawn(program, ['-c', conf, '-v'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (log.includes(' running')) resolve();
    });
    void exited.then(() => reject(new Error(`Mosquitto ended: ${log}`)));
  });
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
