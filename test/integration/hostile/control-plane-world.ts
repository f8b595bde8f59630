// A whole control plane in this process, asked over HTTP with its admin token, for input that must be refused.

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCodeOf } from '#control-plane/cli/exit-codes.ts';
import { holdfastProgram } from '#control-plane/cli/program.ts';
import { readConfig } from '#control-plane/config.ts';
import { createLogger } from '#control-plane/logger.ts';
import { startControlPlane } from '#control-plane/start-control-plane.ts';

export interface ControlPlaneWorld extends AsyncDisposable {
  readonly url: string;
  /** A request under /api/v1 with the admin token. */
  call(path: string, init?: RequestInit & { readonly duplex?: 'half' }): Promise<Response>;
  post(path: string, body: unknown): Promise<Response>;
  /** Uploads bytes and answers their digest. */
  upload(bytes: Uint8Array): Promise<string>;
  /** The command line with the admin token; answers its exit status and what it wrote. */
  holdfast(...args: string[]): Promise<{ code: number; out: string }>;
  /** What lies in the blob store, half-written files included. */
  stored(): Promise<string[]>;
  /** What lies in the folder for what is on its way. */
  scratch(): Promise<string[]>;
}

export async function controlPlaneWorld(env: NodeJS.ProcessEnv = {}): Promise<ControlPlaneWorld> {
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-hostile-'));
  const flags = ['--http-port', '0', '--mqtt-port', '0', '--gateway-port', '0', '--data-dir', dataDir];
  const plane = await startControlPlane({
    config: readConfig(flags, env, '0.0.0'),
    log: createLogger({ level: 'silent', write: () => undefined }),
    packageVersion: '0.0.0',
  });
  const token = (await readFile(plane.adminToken.path, 'utf8')).trim();
  const call: ControlPlaneWorld['call'] = (path, init = {}) =>
    fetch(`${plane.httpUrl}/api/v1${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
    });
  return {
    url: plane.httpUrl,
    call,
    post: (path, body) =>
      call(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    upload: async (bytes) => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const answer = await call(`/blobs/${sha256}`, { method: 'PUT', body: Buffer.from(bytes) });
      if (!answer.ok) throw new Error(`the upload was answered ${answer.status}`);
      return sha256;
    },
    holdfast: async (...args) => {
      const ending = { code: 0, out: '' };
      const write = (text: string): void => void (ending.out += text);
      const surroundings = {
        env: { HOLDFAST_TOKEN: token, HOLDFAST_SERVER: plane.httpUrl },
        write,
        writeAside: write,
        signal: new AbortController().signal,
        setExitCode: (code: number) => void (ending.code = code),
      };
      try {
        await holdfastProgram(surroundings).parseAsync(args, { from: 'user' });
      } catch (error) {
        write(String(error));
        ending.code = exitCodeOf(error);
      }
      return ending;
    },
    stored: () => readdir(join(dataDir, 'blobs')),
    scratch: () => readdir(join(dataDir, 'scratch')),
    async [Symbol.asyncDispose]() {
      await plane[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The code of a refusal; an answer that is none is told as its status. */
export async function codeOf(answer: Response): Promise<string> {
  const text = await answer.text();
  if (answer.headers.get('content-type')?.startsWith('application/problem+json') !== true)
    return `status ${answer.status}: ${text.slice(0, 200)}`;
  return (JSON.parse(text) as { code: string }).code;
}
