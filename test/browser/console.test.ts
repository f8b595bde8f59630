// The console in a real Chromium, against a real control plane with two real agents: what an operator sees
// while a version goes out, and what she can do about it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cameras } from '#test/demo/camera.ts';
import { uploadDatasets } from '#test/demo/digits-assets.ts';
import { DemoFleet } from '#test/demo/fleet.ts';
import { Reporter } from '#test/demo/report.ts';
import { beginRollout, prepareVersion, watchRollout, type Story } from '#test/demo/steps.ts';
import { chromiumPath, skipWithout } from '#test/skip-reason.ts';

const PROFILES = ['cpu-generic', 'cpu-generic'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']; // prettier-ignore
const executablePath = chromiumPath();

describe.skipIf(skipWithout('Chromium', executablePath, 'install the package chromium'))(
  'the console',
  () => {
    let folder: string;
    let fleet: DemoFleet;
    let story: Story;
    let browser: Browser;
    let page: Page;
    const problems: string[] = [];

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'holdfast-browser-'));
      fleet = new DemoFleet(folder);
      await fleet.startPlane();
      browser = await chromium.launch({ executablePath: executablePath ?? '', args: FLAGS });
      page = await browser.newPage();
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text());
      });
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('request', (request) => {
        if (!request.url().startsWith(fleet.server)) problems.push(`asked another host: ${request.url()}`);
      });
    });

    afterAll(async () => {
      await story?.cameras[Symbol.asyncDispose]();
      await browser?.close();
      await fleet?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    });

    it('asks for a token, refuses a wrong one with a reason, and opens with the right one', async () => {
      await page.goto(fleet.server);
      await page.getByLabel('API token').fill('hft_wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').waitFor();
      problems.length = 0;
      await page.getByLabel('API token').fill(fleet.token);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Fleet' }).waitFor();
      expect(await page.getByText('No device has enrolled yet').isVisible()).toBe(true);
    });

    it('opens from an address with a token, and the token leaves the address', async () => {
      const fresh = await browser.newPage();
      await fresh.goto(`${fleet.server}/#token=${fleet.token}`);
      await fresh.getByRole('heading', { name: 'Fleet' }).waitFor();
      expect(fresh.url()).toBe(`${fleet.server}/`);
      await fresh.close();
    });

    it('makes a token, with which somebody else gets in, and sees what she may not', async () => {
      await page.getByRole('link', { name: 'Access', exact: true }).click();
      await page.getByLabel('Name').fill('wallboard');
      await page.getByRole('button', { name: 'Make it' }).click();
      const token = await page.locator('code.secret').innerText();
      const context = await browser.newContext();
      const other = await context.newPage();
      await other.goto(`${fleet.server}/#token=${token}`);
      await other.getByRole('link', { name: 'wallboard viewer' }).click();
      await other.getByText('To make tokens needs the role admin').waitFor();
      await context.close();
      await page.getByRole('link', { name: 'Fleet', exact: true }).click();
    });

    it('shows a device as soon as it enrols, without a reload', async () => {
      await fleet.startAgent('edge-1', PROFILES[0] as string);
      await page.getByRole('row', { name: /edge-1/ }).waitFor();
      await fleet.startAgent('edge-2', PROFILES[1] as string);
      await page.getByRole('row', { name: /edge-2/ }).waitFor();
      await page.getByText('2/2').waitFor();
    });

    it('follows a rollout wave by wave to its end', async () => {
      const datasets = await uploadDatasets(fleet.api());
      const cameras = new Cameras(datasets.live);
      story = { fleet, cameras, datasets, profiles: PROFILES, reporter: new Reporter(() => undefined) };
      await prepareVersion(story, 1);
      const { id } = await beginRollout(story, 1);
      await page.goto(`${fleet.server}/rollouts/${id}`);
      await page.getByRole('listitem').filter({ hasText: 'canary' }).first().waitFor();
      await page.getByRole('heading', { name: /digits 1.*completed/ }).waitFor({ timeout: 120_000 });
      expect(await page.getByRole('img', { name: '1 of 1 healthy' }).count()).toBe(2);
    });

    it('shows what was tried for a profile, and why it was taken', async () => {
      await page.getByRole('link', { name: 'Models' }).click();
      await page.getByRole('link', { name: 'version 1' }).click();
      await page.getByRole('heading', { name: 'digits 1' }).waitFor();
      await page
        .getByRole('row', { name: /the original.*proposed.*no other is within the budgets/ })
        .waitFor();
    });

    it('shows why a version was stopped, with the numbers', async () => {
      await prepareVersion(story, 2);
      const { id } = await beginRollout(story, 2);
      await page.goto(`${fleet.server}/rollouts/${id}`);
      await page.getByRole('heading', { name: /digits 2.*rolled-back/ }).waitFor({ timeout: 120_000 });
      await page.getByText('its answers on the golden vectors are wrong').first().waitFor();
      await page.getByText('golden fail').first().waitFor();
      await watchRollout(story, id, ['rolled-back']);
    });

    it('lets an operator roll a completed version back, after asking', async () => {
      for (const agent of fleet.agents) story.cameras.watch(agent.deviceId, agent.url, 'digits', 40);
      await prepareVersion(story, 5);
      const { id } = await beginRollout(story, 5);
      await watchRollout(story, id, ['completed']);
      await page.goto(`${fleet.server}/rollouts/${id}`);
      page.once('dialog', (dialog) => void dialog.accept());
      await page.getByRole('button', { name: 'rollback' }).click();
      await page.getByRole('heading', { name: /digits 5.*rolled-back/ }).waitFor({ timeout: 120_000 });
      await page.getByRole('link', { name: 'Fleet' }).first().click();
      await page.getByRole('row', { name: /edge-1.*digits 1/ }).waitFor();
    });

    it('had nothing to complain about, and asked no other host', () => expect(problems).toEqual([]));
  },
);
