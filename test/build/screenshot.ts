// Takes a picture of a page with the machine's own Chromium, to look at what a person would see.
// Usage: node test/build/screenshot.ts URL OUT.png [WIDTH HEIGHT] [--dark] [--wait SELECTOR] [--full-page]

import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { chromiumPath } from '../skip-reason.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const TIMEOUT_MS = 15_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dark: { type: 'boolean', default: false },
    wait: { type: 'string' },
    'full-page': { type: 'boolean', default: false },
  },
});
const [url, path, width = '1280', height = '800'] = positionals;
if (url === undefined || path === undefined) {
  throw new Error('usage: screenshot.ts URL OUT.png [WIDTH HEIGHT] [--dark] [--wait SELECTOR] [--full-page]');
}
const executablePath = chromiumPath();
if (executablePath === undefined) throw new Error('no Chromium on PATH: apt-get install chromium');

await using browser = await chromium.launch({ executablePath, args: FLAGS });
const page = await browser.newPage({
  viewport: { width: Number(width), height: Number(height) },
  colorScheme: values.dark ? 'dark' : 'light',
});
page.on('console', (message) => {
  if (message.type() === 'error') console.error(`page: ${message.text()}`);
});
page.on('pageerror', (error) => console.error(`page: ${error.message}`));
// Not 'networkidle': a page that listens to server-sent events is never idle.
await page.goto(url, { waitUntil: 'load', timeout: TIMEOUT_MS });
if (values.wait !== undefined) await page.waitForSelector(values.wait, { timeout: TIMEOUT_MS });
await page.screenshot({ path, fullPage: values['full-page'], animations: 'disabled' });
console.log(path);
