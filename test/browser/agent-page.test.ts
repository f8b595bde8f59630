// The engineer's page in a real browser, in front of a real supervisor with scripted workers.

import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { localApi } from '#agent/http/local-api.ts';
import { pageRoutes } from '#agent/http/page.ts';
import { LocalServer } from '#agent/http/server.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';
import { silentLogger } from '#test/fakes/silent-logger.ts';
import { chromiumPath, skipWithout } from '#test/skip-reason.ts';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]; // prettier-ignore
const executablePath = chromiumPath();

describe.skipIf(skipWithout('Chromium', executablePath, 'install chromium, or set HOLDFAST_CHROMIUM'))(
  'the page',
  () => {
    let browser: Browser;
    let world: AgentWorld;
    let server: LocalServer;
    let page: Page;
    let complaints: string[];

    beforeAll(async () => {
      browser = await chromium.launch({ executablePath: executablePath!, args: FLAGS });
    });
    afterAll(() => browser.close());

    beforeEach(async () => {
      world = await AgentWorld.start();
      server = await LocalServer.listen(0, silentLogger);
      server.serve(localApi(world.supervisor), pageRoutes());
      onTestFinished(() => server[Symbol.asyncDispose]());
      complaints = [];
    });

    async function open(viewport = { width: 1_440, height: 900 }): Promise<void> {
      page = await browser.newPage({ viewport });
      onTestFinished(() => page.close());
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      await page.goto(server.url);
    }

    const text = (id: string): ReturnType<Page['locator']> => page.locator(`#${id}`);

    test('tells what serves, and a person rolls back with one confirmation', async () => {
      await world.settleOn(1, 1);
      await world.settleOn(2, 2);
      await open();
      await text('release').getByText('digits version 2').waitFor();
      await text('link').getByText('Connected to the control plane').waitFor();
      await text('deployment').getByText('healthy', { exact: true }).waitFor();

      await page.getByRole('button', { name: 'Roll back to version 1' }).click();
      await page.getByRole('button', { name: 'Cancel' }).click();
      expect(world.serves).toBe(2);

      await page.getByRole('button', { name: 'Roll back to version 1' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Roll back to version 1' }).click();
      await text('release').getByText('digits version 1').waitFor();
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      expect(world.serves).toBe(1);
      expect(complaints).toEqual([]);
    });

    test('says in plain words why a version was turned away, and offers no roll back where there is none', async () => {
      await world.settleOn(1, 1);
      world.publish(2, (worker) => {
        worker.auto = () => ({ latencyMs: 12, classes: [{ index: 1, label: 'v1', score: 1 }] });
      });
      world.order(2, 2);
      await world.untilState('shadow');
      await world.trafficUntil(() => world.report?.state === 'rolled-back');
      await open();
      await text('deployment').getByText('It is slower than the version in service.').waitFor();
      await text('deployment')
        .getByText(/^5\.00 ms in service, 12\.0 ms here at the median/)
        .waitFor();
      expect(await page.getByRole('button', { name: /Roll back/ }).isVisible()).toBe(false);
      expect(complaints).toEqual([]);
    });

    test('fits a telephone, and names from elsewhere stay text', async () => {
      await world.settleOn(1, 1);
      world.verifier.failure = new Error('<img src=x onerror=alert(1)>'.repeat(20));
      world.transport.desired({ rolloutId: 'r', seq: 9, targetPath: 'digits/2/cpu-generic.json' });
      await world.untilState('notified', 9);
      await world.passUntil(5_000, () => world.report?.state === 'failed');
      await open({ width: 390, height: 844 });
      await text('deployment').getByText('The signed order could not be verified.').waitFor();
      expect(await page.locator('main img').count()).toBe(0);
      const overflowPx = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflowPx).toBeLessThanOrEqual(0);
      expect(complaints).toEqual([]);
    });

    test('says that what it shows may be old when the agent is gone', async () => {
      await open();
      await text('release').getByText('Nothing yet').waitFor();
      await server[Symbol.asyncDispose]();
      await text('banner').getByText('The agent does not answer').waitFor();
    });
  },
);
