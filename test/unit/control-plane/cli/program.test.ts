// The whole command line against a real HTTP server that answers as the test says.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { exitCodeOf } from '#control-plane/cli/exit-codes.ts';
import { holdfastProgram } from '#control-plane/cli/program.ts';
import { digits } from '../registry/registry-world.ts';

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

async function digitsVersion(): Promise<object> {
  const { contract } = await digits();
  return {
    model: 'digits', version: 1, contractSha256: 'c'.repeat(64), contract, createdAtMs: 0, evaluation: null, variants: [],
  }; // prettier-ignore
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
      id: 'edge-1', profile: 'x86-cpu', labels: {}, state: 'active', decision: null, keySha256: null,
      certificateExpiresAtMs: null, online: true, lastSeenMs: 0, enrolledAtMs: 0, desiredSeq: 1,
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

  it('posts a decision about a device with its reason, and asks for one', async () => {
    const device = {
      id: 'edge-1', profile: 'x86-cpu', labels: {}, state: 'revoked', keySha256: 'ab12'.repeat(16),
      decision: { reason: 'stolen', actor: 'token:admin', atMs: 0 }, certificateExpiresAtMs: 86_400_000, online: false,
      lastSeenMs: 0, enrolledAtMs: 0, desiredSeq: 1, desired: null, reported: null,
    }; // prettier-ignore
    answers.set('POST /api/v1/devices/edge-1/revoke', { status: 200, body: device });
    const { code, out } = await run(['device', 'revoke', 'edge-1', '--reason', 'stolen']);
    expect(code).toBe(0);
    expect(seen[0]).toMatchObject({ body: { reason: 'stolen' } });
    expect(out).toMatch(/^state +revoked: stolen$/m);
    expect(out).toMatch(/^decided +by token:admin/m);
    expect(out).toMatch(/^key +ab12 ab12 ab12 ab12 ab12 ab12 ab12 ab12$/m);
    expect((await run(['device', 'revoke', 'edge-1'])).aside).toContain('--reason');
    expect(seen).toHaveLength(1);
  });

  it('writes a batch of claims to a file that nobody else can read, and no token to stdout', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const csv = join(folder, 'claims.csv');
    const items = ['a', 'b'].map((id) => ({
      token: `hfc.${id}`,
      claimId: id,
      deviceId: `line-${id}`,
      expiresAtMs: 0,
    }));
    answers.set('POST /api/v1/claims/batch', { status: 201, body: { items } });
    const args = ['claim', 'create', '--batch', '2', '--csv', csv, '--id-prefix', 'line-', '--approval'];
    const { code, out } = await run(args);
    expect(code).toBe(0);
    expect(out).not.toContain('hfc.');
    expect(seen[0]).toMatchObject({ body: { count: 2, idPrefix: 'line-', approval: true } });
    expect((await stat(csv)).mode & 0o777).toBe(0o600);
    expect(await readFile(csv, 'utf8')).toBe(
      'claim,device,expires,token\r\na,line-a,1970-01-01T00:00:00.000Z,hfc.a\r\nb,line-b,1970-01-01T00:00:00.000Z,hfc.b\r\n',
    );
    // A file that is there is left alone, before any token is made.
    expect((await run(args)).code).toBe(2);
    expect(seen).toHaveLength(1);
    answers.set('POST /api/v1/claims/batch', { status: 409, body: problem(409, 'conflict', 'too many') });
    expect((await run([...args.slice(0, 5), join(folder, 'other.csv')])).code).toBe(6);
    expect(await readdir(folder)).toEqual(['claims.csv']);
    expect((await run(['claim', 'create', '--batch', '2'])).code).toBe(2);
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

  it('shows every candidate of a version, and why it was taken or not', async () => {
    const shared = { report: null, comparison: null, device: null, memoryBytes: 5e6 };
    const choice = {
      profile: 'x86-cpu',
      decidedAtMs: 0,
      candidates: [
        {
          recipe: { kind: 'fp16' }, precision: 'fp16', verdict: 'over-budget', why: 'loses 2.10 points',
          weights: { sha256: 'a'.repeat(64), sizeBytes: 200 }, accuracy: 0.9, p95Ms: 1, ...shared,
        },
        {
          recipe: { kind: 'original' }, precision: 'original', verdict: 'proposed', why: 'no other is within the budgets',
          weights: { sha256: 'b'.repeat(64), sizeBytes: 400 }, accuracy: 0.921, p95Ms: 2, ...shared,
        },
      ],
    }; // prettier-ignore
    answers.set('GET /api/v1/models/digits/versions/1', {
      status: 200,
      body: { ...(await digitsVersion()), choices: [choice] },
    });
    const { code, out } = await run(['model', 'get', 'digits', '--version', '1']);
    expect(code).toBe(0);
    expect(out).toContain('x86-cpu: the original');
    expect(out).toMatch(/^fp16 +90\.00 % +1\.00 ms +this machine .* over-budget +loses 2\.10 points$/m);
    expect(out).toMatch(/^the original +92\.10 % .* proposed +no other is within the budgets$/m);
  });

  it('shows the candidates beside the answer when compression proposes nothing', async () => {
    const path = '/api/v1/models/digits/versions/1';
    const failed = {
      id: 'job-1', kind: 'compression', state: 'failed', model: 'digits', version: 1, progressPct: 50, message: 'x',
      error: { code: 'compression-failed', detail: 'no candidate is within the budgets' }, choices: [],
      createdAtMs: 0, updatedAtMs: 0,
    }; // prettier-ignore
    answers.set(`POST ${path}/variants`, { status: 202, body: failed });
    const choice = { profile: 'tight', decidedAtMs: 0, candidates: [] };
    answers.set(`GET ${path}`, { status: 200, body: { ...(await digitsVersion()), choices: [choice] } });
    const { code, out, aside } = await run([
      'model',
      'compress',
      'digits',
      '--version',
      '1',
      '--profile',
      'tight',
    ]);
    expect(code).not.toBe(0);
    expect(out).toBe('');
    expect(aside).toContain('tight: nothing is proposed');
    expect(aside).toContain('no candidate is within the budgets');
  });

  it('refuses to begin without a token', async () => {
    const { code, aside } = await run(['device', 'list'], { HOLDFAST_TOKEN: '' });
    expect(code).toBe(4);
    expect(aside).toContain('HOLDFAST_TOKEN');
  });
});
