// The whole command line against a real HTTP server that answers as the test says.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodeOf } from '#control-plane/cli/exit-codes.ts';
import { holdfastProgram } from '#control-plane/cli/program.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

let server: Server;
let answers: Map<string, Answer>;
let seen: { method: string; path: string; authorization: string | undefined; body: unknown }[];

beforeEach(async () => {
  answers = new Map();
  seen = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const { method = '', url: path = '', headers } = request;
      seen.push({
        method,
        path,
        authorization: headers.authorization,
        body: text === '' ? null : JSON.parse(text),
      });
      const answer = answers.get(`${method} ${path}`) ?? {
        status: 404,
        body: problem(404, 'not-found', 'nothing there'),
      };
      response
        .writeHead(answer.status, { 'content-type': 'application/json' })
        .end(JSON.stringify(answer.body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
});

function problem(status: number, code: string, detail: string): object {
  return { type: 'about:blank', title: code, status, code, detail };
}

async function run(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; aside: string }> {
  const { port } = server.address() as AddressInfo;
  let out = '';
  let aside = '';
  let code = 0;
  const surroundings = {
    env: { HOLDFAST_TOKEN: 'secret', HOLDFAST_SERVER: `http://127.0.0.1:${port}`, ...env },
    write: (text: string) => (out += text),
    writeAside: (text: string) => (aside += text),
    signal: new AbortController().signal,
    setExitCode: (value: number) => (code = value),
  };
  try {
    await holdfastProgram(surroundings).parseAsync(args, { from: 'user' });
  } catch (error) {
    code = exitCodeOf(error);
    aside += String(error);
  }
  return { code, out, aside };
}

describe('holdfast', () => {
  it('shows devices as a table, with the token sent and nothing else on stdout', async () => {
    const device = {
      id: 'edge-1', profile: 'x86-cpu', labels: {}, online: true, lastSeenMs: 0, enrolledAtMs: 0, desiredSeq: 1,
      desired: null, reported: null,
    }; // prettier-ignore
    answers.set('GET /api/v1/devices', { status: 200, body: { items: [device] } });
    const { code, out, aside } = await run(['device', 'list']);
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toMatch(/^DEVICE +PROFILE +LINK/);
    expect(out).toContain('edge-1');
    expect(aside).toBe('');
    expect(seen[0]?.authorization).toBe('Bearer secret');
  });

  it('answers programs with JSON', async () => {
    answers.set('GET /api/v1/models', { status: 200, body: { items: [] } });
    expect(JSON.parse((await run(['model', 'list', '-o', 'json'])).out)).toEqual([]);
  });

  it.each([
    [404, 'not-found', 5],
    [401, 'unauthorized', 4],
    [409, 'wrong-phase', 6],
    [422, 'selector-empty', 2],
    [500, 'internal', 70],
  ])('turns a %i %s answer into exit status %#', async (status, code, exit) => {
    answers.set('POST /api/v1/rollouts/ro-1/pause', { status, body: problem(status, code, 'said why') });
    const result = await run(['rollout', 'pause', 'ro-1']);
    expect(result.code).toBe(exit);
    expect(result.aside).toContain('said why');
  });

  it('ends with 3 when nobody answers', async () => {
    expect((await run(['device', 'list'], { HOLDFAST_SERVER: 'http://127.0.0.1:1' })).code).toBe(3);
  });

  it('sends a rollout as it was asked for', async () => {
    await run([
      'rollout',
      'create',
      '--model',
      'digits',
      '--version',
      '2',
      '--waves',
      '1:5s,100%',
      '--soak',
      '1m',
      '--label',
      'site=north',
      '--direct',
    ]);
    expect(seen[0]).toMatchObject({
      method: 'POST',
      path: '/api/v1/rollouts',
      body: {
        model: 'digits',
        version: 2,
        selector: { labels: { site: 'north' } },
        waves: [
          { size: { count: 1 }, soakMs: 5_000 },
          { size: { percent: 100 }, soakMs: 60_000 },
        ],
        policy: { mode: 'direct' },
      },
    });
  });

  it('refuses to begin without a token', async () => {
    const { code, aside } = await run(['device', 'list'], { HOLDFAST_TOKEN: '' });
    expect(code).toBe(4);
    expect(aside).toContain('HOLDFAST_TOKEN');
  });
});
