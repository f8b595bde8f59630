// Asks /api/status once a second and shows it in plain words. Every text goes in as text, never as markup.

import { drawDeployment } from './deployment.js';
import { make } from './make.js';
import { clockTime, duration, millis, size } from './words.js';

const POLL_MS = 1000;

const at = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat('en');
let status = null;

function figures(id, rows) {
  at(id).replaceChildren(
    ...rows.map(([name, value, more, tone]) => {
      const shown = make('dd', tone ?? '', value);
      if (more) shown.append(make('small', '', more));
      return make('div', '', make('dt', '', name), shown);
    }),
  );
}

function drawTop({ deviceId, profile, fleet, controlPlane, nowMs }) {
  document.title = `${deviceId} – Holdfast agent`;
  at('device').textContent = deviceId;
  at('profile').textContent = `${profile} · fleet ${fleet}`;
  const since = duration(nowMs - controlPlane.sinceMs);
  at('link').dataset.on = String(controlPlane.connected);
  at('link').textContent = controlPlane.connected
    ? `Connected to the control plane for ${since}`
    : `On its own for ${since}: no connection to the control plane`;
}

function drawServing({ active, previous, serving, nowMs }) {
  const button = at('rollback');
  if (active === null) {
    at('release').textContent = 'Nothing yet';
    at('since').textContent = 'The first version comes with an order of the control plane.';
  } else {
    at('release').textContent = `${active.model} version ${active.version}`;
    const since = `since ${clockTime(active.sinceMs, nowMs)} (${duration(nowMs - active.sinceMs)})`;
    at('since').textContent = serving === null ? 'Being loaded' : since;
  }
  button.hidden = previous === null;
  if (previous !== null) button.textContent = `Roll back to version ${previous.version}`;
  at('rollback-hint').textContent =
    previous === null && active !== null ? 'There is no version before it on this device.' : '';
}

function drawRequests({ service }) {
  const { requests, errors, rejected, labelled, correct, p50Ms, p95Ms, p99Ms } = service;
  const share = requests === 0 ? '' : `${((100 * errors) / requests).toFixed(2)} %`;
  figures('requests', [
    ['Answered', numbers.format(requests - errors)],
    ['Failed', numbers.format(errors), errors > 0 ? share : '', errors > requests / 100 ? 'bad' : ''],
    ['Refused, too busy', numbers.format(rejected)],
    ['Latency, median', millis(p50Ms)],
    ['95 % within', millis(p95Ms)],
    ['99 % within', millis(p99Ms)],
    ...(labelled > 0
      ? [
          [
            'Right answers',
            `${((100 * correct) / labelled).toFixed(1)} %`,
            `of ${numbers.format(labelled)} labelled`,
          ],
        ]
      : []),
  ]);
}

function drawMachine({ system }) {
  const { cpuLoadPct, memoryUsedBytes, memoryAvailableBytes, temperatureC, diskFreeBytes } = system;
  figures('machine', [
    ['Processor', cpuLoadPct === null ? '–' : `${Math.round(cpuLoadPct)} %`],
    [
      'Memory free',
      size(memoryAvailableBytes),
      memoryUsedBytes === null ? '' : `${size(memoryUsedBytes)} used`,
    ],
    ['Disk free', size(diskFreeBytes)],
    ...(temperatureC === null ? [] : [['Temperature', `${Math.round(temperatureC)} °C`]]),
  ]);
}

function drawFoot({ agentVersion, startedAtMs, nowMs, waitingMessages, quarantined }) {
  const lines = [`Holdfast ${agentVersion}`, `started ${duration(nowMs - startedAtMs)} ago`];
  if (waitingMessages > 0)
    lines.push(`${numbers.format(waitingMessages)} messages wait for the control plane`);
  if (quarantined.length > 0) lines.push(`${quarantined.length} quarantined weights`);
  at('foot').replaceChildren(...lines.map((line) => make('span', '', line)));
}

function draw() {
  drawTop(status);
  drawServing(status);
  drawRequests(status);
  drawDeployment(at('deployment'), status);
  drawMachine(status);
  drawFoot(status);
}

async function refresh() {
  try {
    const answer = await fetch('/api/status', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`the agent answered ${answer.status}`);
    status = await answer.json();
    at('banner').hidden = true;
    draw();
  } catch (error) {
    at('banner').textContent = `The agent does not answer (${error.message}). What is shown may be old.`;
    at('banner').hidden = false;
  }
  setTimeout(refresh, POLL_MS);
}

function askRollBack() {
  const { active, previous } = status;
  at('confirm-title').textContent = `Put version ${previous.version} back in service?`;
  at('confirm-text').textContent =
    `Version ${active.version} is taken out. No request is dropped, and the control plane is told as soon as it can be reached.`;
  at('confirm-yes').textContent = `Roll back to version ${previous.version}`;
  at('confirm-yes').dataset.version = previous.version;
  at('confirm-problem').hidden = true;
  at('confirm').showModal();
}

async function rollBack() {
  const button = at('confirm-yes');
  button.disabled = true;
  try {
    const answer = await fetch('/api/rollback', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ toVersion: Number(button.dataset.version) }),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error([body.detail, body.hint].filter(Boolean).join('; '));
    status = body;
    draw();
    at('confirm').close();
  } catch (error) {
    at('confirm-problem').textContent = `It did not work: ${error.message}`;
    at('confirm-problem').hidden = false;
  } finally {
    button.disabled = false;
  }
}

at('rollback').addEventListener('click', askRollBack);
at('confirm-no').addEventListener('click', () => at('confirm').close());
at('confirm-yes').addEventListener('click', () => void rollBack());
void refresh();
