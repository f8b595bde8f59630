import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdfastProgram } from '#control-plane/cli/program.ts';
import { newApiTokenSchema } from '#protocol/operators.ts';
import { apiWorld, type ApiWorld } from '../http/api-world.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await apiWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** What a command writes: its answer, and what it says beside. */
async function run(args: readonly string[], token = world.token) {
  let [out, aside] = ['', ''];
  const program = holdfastProgram({
    env: { HOLDFAST_SERVER: world.url, HOLDFAST_TOKEN: token },
    write: (text) => (out += text),
    writeAside: (text) => (aside += text),
    signal: new AbortController().signal,
    setExitCode: () => undefined,
  });
  await program.parseAsync(['token', ...args], { from: 'user' });
  return { out: out.trim(), aside: aside.trim() };
}

const CREATE = [
  'create',
  'press',
  '--role',
  'releaser',
  '--team',
  'vision',
  '--group',
  'site=berlin',
  '--expires',
  '30d',
];

describe('holdfast token', () => {
  it('makes a narrowed token, whose text alone is the answer', async () => {
    const { out, aside } = await run(CREATE);
    expect(out).toMatch(/^hft_[A-Za-z0-9_-]{43}$/);
    expect(aside).toMatch(
      /^press \(tok-[0-9a-f-]+\): releaser of vision on site=berlin, until \d{4}-\d\d-\d\d;/,
    );
    const [token] = (await world.tokens.list()).filter(({ name }) => name === 'press');
    expect((token?.expiresAtMs ?? 0) - (token?.createdAtMs ?? 0)).toBe(30 * 86_400_000);
  });

  it('lists what each may, without the tokens themselves', async () => {
    const { out: text } = await run(CREATE);
    const { out } = await run(['list']);
    expect(out).toMatch(/admin +admin +admin +never +\S+ s ago +system/);
    expect(out).toMatch(/press +tok-\S+ +releaser of vision on site=berlin .* never +token:admin/);
    expect(out).not.toContain(text);
  });

  it('rotates and revokes by name', async () => {
    const { out: first } = await run(CREATE);
    const { out } = await run(['rotate', 'press', '-o', 'json']);
    const { token: second } = newApiTokenSchema.parse(JSON.parse(out));
    await expect(run(['list'], first)).rejects.toMatchObject({ code: 'unauthorized' });
    expect((await run(['list'], second)).out).toContain('press');
    expect((await run(['revoke', 'press'])).out).toBe('press is void');
    await expect(run(['list'], second)).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(run(['revoke', 'press'])).rejects.toMatchObject({ code: 'not-found' });
  });

  it('says that the role does not suffice', async () => {
    const viewer = await world.tokenWith({ role: 'viewer' });
    await expect(run(CREATE, viewer)).rejects.toMatchObject({
      code: 'forbidden',
      message: 'this needs the role admin',
    });
  });
});
