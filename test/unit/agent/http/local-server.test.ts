import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { holdUntil } from '#agent/http/hold-until.ts';
import { localApi } from '#agent/http/local-api.ts';
import { pageRoutes } from '#agent/http/page.ts';
import { LocalServer } from '#agent/http/server.ts';
import type { AgentStatus } from '#agent/supervisor/status.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { anInstalled } from '#test/fakes/agent-releases.ts';
import { keepingLogger } from '#test/fakes/silent-logger.ts';

/** An agent on version 2 with version 1 before it. */
class TwoVersions {
  active = 2;
  rollBacks = 0;

  status(): Promise<AgentStatus> {
    const previous = this.active === 2 ? 1 : null;
    return Promise.resolve({
      active: anInstalled(this.active).running,
      previous: previous === null ? null : anInstalled(previous).running,
    } as AgentStatus);
  }

  async rollBack(): Promise<void> {
    if (this.active === 1)
      throw new HoldfastError('no-previous-version', 'nothing before it', { hint: 'wait' });
    this.active = 1;
    this.rollBacks++;
    await Promise.resolve();
  }
}

let server: LocalServer;
let agent: TwoVersions;
let logger: ReturnType<typeof keepingLogger>;

beforeEach(async () => {
  logger = keepingLogger();
  server = await LocalServer.listen(0, logger);
  onTestFinished(() => server[Symbol.asyncDispose]());
  agent = new TwoVersions();
});

/** A request with any headers, which fetch does not allow. */
async function ask(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
  const request = httpRequest(`${server.url}${path}`, {
    method,
    headers: { connection: 'close', ...headers },
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: (await response.toArray()).join(''),
  };
}

const JSON_TYPE = { 'content-type': 'application/json' };

test('a port that is taken is one clear error', async () => {
  const port = Number(new URL(server.url).port);
  await expect(LocalServer.listen(port, logger)).rejects.toMatchObject({
    code: 'port-busy',
    hint: expect.stringContaining('--http-port'),
  });
});

test('until the agent is ready it says that it is starting', async () => {
  const answer = await ask('GET', '/api/status');
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBe('1');
  expect(JSON.parse(answer.text)).toMatchObject({ code: 'not-serving' });
});

describe('the local API', () => {
  beforeEach(() => server.serve(localApi(agent), pageRoutes()));

  test('tells the status, uncached', async () => {
    const answer = await ask('GET', '/api/status');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(JSON.parse(answer.text)).toMatchObject({ active: { version: 2 }, previous: { version: 1 } });
  });

  test('rolls back with an empty body, and answers the state after it', async () => {
    const answer = await ask('POST', '/api/rollback');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ active: { version: 1 } });
  });

  test('rolls back once however often the same wish is sent', async () => {
    const wish = JSON.stringify({ toVersion: 1 });
    const statuses = [];
    for (let time = 0; time < 3; time++)
      statuses.push((await ask('POST', '/api/rollback', JSON_TYPE, wish)).status);
    expect(statuses).toEqual([200, 200, 200]);
    expect(agent.rollBacks).toBe(1);
  });

  test('refuses a wish that does not fit what is there', async () => {
    const answer = await ask('POST', '/api/rollback', JSON_TYPE, '{"toVersion": 7}');
    expect(answer.status).toBe(409);
    expect(JSON.parse(answer.text)).toMatchObject({
      code: 'conflict',
      detail: 'the version before is 1, not 7',
    });
    expect(agent.rollBacks).toBe(0);
  });

  test('says when there is nothing to go back to', async () => {
    agent.active = 1;
    const answer = await ask('POST', '/api/rollback');
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(JSON.parse(answer.text)).toMatchObject({ status: 409, code: 'no-previous-version', hint: 'wait' });
  });

  test.each([
    ['not JSON', '{"toVersion":', 400],
    ['another shape', '{"version": 1}', 400],
    ['far too much', JSON.stringify({ toVersion: 1, x: 'x'.repeat(10_000) }), 413],
  ])('refuses a body that is %s', async (_what, body, status) => {
    expect((await ask('POST', '/api/rollback', JSON_TYPE, body)).status).toBe(status);
    expect(agent.rollBacks).toBe(0);
  });

  test('tells a client nothing of an error of its own, and the log all of it', async () => {
    agent.status = () => Promise.reject(new Error('secret detail'));
    const answer = await ask('GET', '/api/status');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('secret');
    expect(logger.lines.at(-1)).toMatchObject({ level: 'error', fields: { path: '/api/status' } });
  });

  test('names what is not there', async () => {
    const answer = await ask('GET', '/nowhere');
    expect(JSON.parse(answer.text)).toMatchObject({
      status: 404,
      code: 'not-found',
      hint: expect.stringContaining('/api/status'),
    });
  });
});

describe('requests of strangers', () => {
  beforeEach(() => server.serve(localApi(agent), pageRoutes()));

  test('for another host name are refused', async () => {
    for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', '10.0.0.1']) {
      expect((await ask('GET', '/api/status', { host })).status).toBeGreaterThanOrEqual(400);
    }
    expect((await ask('GET', '/api/status', { host: 'localhost:1' })).status).toBe(200);
  });

  test.each([
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('from a page of another site change nothing: %o', async (headers) => {
    const answer = await ask('POST', '/api/rollback', headers);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'forbidden' });
    expect(agent.rollBacks).toBe(0);
  });

  test('from the own page and from programs pass', async () => {
    expect((await ask('POST', '/api/rollback', { origin: server.url })).status).toBe(200);
    expect((await ask('POST', '/api/rollback', { 'sec-fetch-site': 'same-origin' })).status).toBe(409);
  });
});

describe('the page', () => {
  beforeEach(() => server.serve(localApi(agent), pageRoutes()));

  test('is served with a policy that lets nothing in from elsewhere', async () => {
    const page = await ask('GET', '/');
    expect(page.headers['content-type']).toContain('text/html');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    const parts = [...page.text.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map(([, path]) => path ?? '');
    expect(parts.length).toBeGreaterThan(2);
    for (const path of parts) expect((await ask('GET', path)).status).toBe(200);
  });

  test('has no way out of its folder', async () => {
    for (const path of ['/page/..%2fserver.ts', '/page/../server.ts', '/page/']) {
      expect((await ask('GET', path)).status).toBe(404);
    }
  });
});

describe('inference while the agent starts', () => {
  test('waits for the model, and is not refused', async () => {
    const ready = Promise.withResolvers<void>();
    let answered = false;
    server.serve(holdUntil(ready.promise, 60_000), (request, response, next) =>
      request.path === '/v2/infer' ? void response.end('done') : next(),
    );
    const asking = ask('POST', '/v2/infer').then((answer) => {
      answered = true;
      return answer;
    });
    await ask('GET', '/nothing');
    expect(answered).toBe(false);
    ready.resolve();
    expect((await asking).text).toBe('done');
  });

  test('does not wait for ever, nor for a start that failed', async () => {
    server.serve(
      holdUntil(new Promise(() => undefined), 20),
      (_request, response) => void response.end('go on'),
    );
    expect((await ask('POST', '/v2/infer')).text).toBe('go on');
    const failed = Promise.reject(new Error('no'));
    server.serve(holdUntil(failed, 60_000), (_request, response) => void response.end('go on'));
    expect((await ask('POST', '/v2/infer')).text).toBe('go on');
  });
});

test('the end lets what is being answered be answered', async () => {
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  server.serve(async (_request, response) => {
    begun.resolve();
    await finish.promise;
    response.end('whole');
  });
  const asking = ask('GET', '/');
  await begun.promise;
  const ending = server[Symbol.asyncDispose]();
  finish.resolve();
  expect((await asking).text).toBe('whole');
  await ending;
});
