// The main job from end to end: five versions, their verdicts, and an operator's way back.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { variantTable } from './tables.ts';
import {
  beginRollout, decidingEvidence, devicesOf, fleetRuns, prepareVersion, telemetryOf, until, watchRollout, type Story,
} from './steps.ts'; // prettier-ignore
import type { StepOutcome } from './report.ts';

const LARGEST_LOSS = 0.005;
const FRAMES_SEEN = 300;
const LEAST_ACCURACY = 0.95;
const VERDICT_SECONDS = 60;

export async function tellStory(story: Story): Promise<void> {
  const { reporter } = story;
  await reporter.step(
    'Version 1 is imported, compressed for every profile, evaluated and signed',
    `a signed variant for each profile, none more than ${LARGEST_LOSS * 100} points below the original`,
    () => compressed(story),
  );
  await reporter.step(
    'Version 1 is rolled out in waves',
    'canary first, then the rest, all healthy on version 1',
    () => goesThrough(story, 1),
  );
  await reporter.step(
    'Cameras send real test images; accuracy and latency come back by telemetry',
    `at least ${FRAMES_SEEN} labelled frames of every device, ${LEAST_ACCURACY * 100} % right or more, no frame refused`,
    () => served(story),
  );
  await reporter.step(
    'Version 2 has wrong pre-processing: golden vectors stop it on the canary',
    'canary failed with golden-mismatch, version 2 never served, rollout rolled back',
    () => stopped(story, 2, 'failed', 'golden-mismatch'),
  );
  await reporter.step(
    'Version 3 is right but twice as slow: shadow pairs stop it',
    `canary rolled back with latency-regression within ${VERDICT_SECONDS} s, version 3 never served`,
    () => stopped(story, 3, 'rolled-back', 'latency-regression'),
  );
  await reporter.step(
    'Version 4 passes its golden vectors but reads live frames differently: it is held for a person',
    'rollout paused, canary held with disagreement; the operator aborts it',
    () => held(story),
  );
  await reporter.step(
    'Version 5 is better: it goes through all waves',
    'every device healthy on version 5',
    () => goesThrough(story, 5),
  );
  await reporter.step(
    'An operator rolls the fleet back with the command line',
    '`holdfast rollout rollback` ends well and every device reports version 1',
    () => rolledBackByHand(story),
  );
}

async function compressed(story: Story): Promise<StepOutcome> {
  const version = await prepareVersion(story, 1);
  for (const line of variantTable(version)) story.reporter.say(line);
  const original = version.evaluation?.accuracy ?? 0;
  const losses = version.variants.map((variant) => original - (variant.evaluation?.accuracy ?? 0));
  const signed = version.variants.filter((variant) => variant.releaseCounter !== null).length;
  return {
    seen: `${signed} signed variants; original ${(original * 100).toFixed(2)} %, largest loss ${(Math.max(...losses) * 100).toFixed(2)} points`,
    ok: signed === new Set(story.profiles).size && losses.every((loss) => loss <= LARGEST_LOSS),
  };
}

async function goesThrough(story: Story, version: number): Promise<StepOutcome> {
  if (version !== 1) await prepareVersion(story, version);
  const { id } = await beginRollout(story, version);
  const rollout = await watchRollout(story, id, ['completed', 'rolled-back', 'paused', 'aborted']);
  if (rollout.phase !== 'completed') return { seen: `${rollout.phase}: ${rollout.reason ?? ''}`, ok: false };
  const devices = await fleetRuns(story, version);
  const waves = new Set(rollout.devices.map((device) => device.wave)).size;
  return {
    seen: `completed in ${waves} waves; ${devices.length} devices serve version ${version}`,
    ok: waves === 2,
  };
}

async function served(story: Story): Promise<StepOutcome> {
  const { fleet, cameras, reporter } = story;
  for (const agent of fleet.agents) cameras.watch(agent.deviceId, agent.url, 'digits', 40);
  const series = await until('enough labelled frames of every device', async () => {
    const found = await telemetryOf(story, 1);
    return found.length >= fleet.agents.length && found.every((one) => one.labelled >= FRAMES_SEEN)
      ? found
      : null;
  });
  for (const { deviceId, labelled, correct, p50Ms, p95Ms } of series) {
    const accuracy = ((correct / labelled) * 100).toFixed(2);
    reporter.say(
      `${deviceId.padEnd(8)} ${accuracy} % of ${labelled} frames right, p50 ${p50Ms?.toFixed(2)} ms, p95 ${p95Ms?.toFixed(2)} ms`,
    );
  }
  const worst = Math.min(...series.map((one) => one.correct / one.labelled));
  const refused = fleet.agents.reduce((sum, agent) => sum + cameras.counts(agent.deviceId).refused, 0);
  return {
    seen: `${series.length} devices, worst accuracy ${(worst * 100).toFixed(2)} %, ${refused} frames refused`,
    ok: worst >= LEAST_ACCURACY && refused === 0,
  };
}

async function stopped(story: Story, version: number, state: string, reason: string): Promise<StepOutcome> {
  await prepareVersion(story, version);
  const { id, createdAtMs } = await beginRollout(story, version);
  const rollout = await watchRollout(story, id, ['completed', 'rolled-back', 'paused', 'aborted']);
  await fleetRuns(story, 1);
  const canary = rollout.devices.find((device) => device.wave === 0);
  const evidence = decidingEvidence(rollout);
  const untouched = rollout.devices.filter((device) => device.seq === null).length;
  const windows = await telemetryOf(story, version);
  const seconds = evidence === undefined ? Infinity : (evidence.atMs - createdAtMs) / 1_000;
  return {
    seen: `${canary?.deviceId} ${canary?.state} (${canary?.reason}) after ${seconds.toFixed(1)} s: ${evidence?.summary ?? 'no evidence'}; ${untouched} devices never asked, rollout ${rollout.phase}`,
    ok:
      rollout.phase === 'rolled-back' &&
      canary?.state === state &&
      canary.reason === reason &&
      windows.length === 0 &&
      untouched === rollout.devices.length - 1 &&
      seconds <= VERDICT_SECONDS,
  };
}

async function held(story: Story): Promise<StepOutcome> {
  await prepareVersion(story, 4);
  const { id } = await beginRollout(story, 4);
  const paused = await watchRollout(story, id, ['completed', 'rolled-back', 'paused', 'aborted']);
  const canary = paused.devices.find((device) => device.wave === 0);
  const evidence = decidingEvidence(paused);
  const seen = `rollout ${paused.phase}, ${canary?.deviceId} ${canary?.state} (${canary?.reason}): ${evidence?.summary ?? 'no evidence'}`;
  const ok = paused.phase === 'paused' && canary?.state === 'held' && canary.reason === 'disagreement';
  const { code } = await holdfast(story, ['rollout', 'abort', id]);
  await fleetRuns(story, 1);
  const windows = await telemetryOf(story, 4);
  return { seen: `${seen}; aborted by the operator`, ok: ok && code === 0 && windows.length === 0 };
}

async function rolledBackByHand(story: Story): Promise<StepOutcome> {
  const { id } = await beginRollout(story, 5);
  const { code, text } = await holdfast(story, ['rollout', 'rollback', id]);
  for (const line of text.trim().split('\n')) story.reporter.say(line);
  const rollout = await watchRollout(story, id, ['rolled-back']);
  const devices = await fleetRuns(story, 1);
  const online = (await devicesOf(story.fleet.api())).filter((device) => device.online).length;
  return {
    seen: `rollout ${rollout.phase}; ${devices.length} devices report version 1, ${online} online`,
    ok: code === 0 && devices.length === story.fleet.agents.length,
  };
}

/** Runs the command line as an operator would, again for as long as the control plane is away. */
async function holdfast(story: Story, args: readonly string[]): Promise<{ code: number; text: string }> {
  const main = fileURLToPath(import.meta.resolve('#control-plane/cli/main.ts'));
  return await until(`holdfast ${args.join(' ')}`, async () => {
    const child = spawn(process.execPath, [main, ...args, '--server', story.fleet.server], {
      env: { ...process.env, HOLDFAST_TOKEN: story.fleet.token },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    child.stderr.on('data', (chunk) => (text += String(chunk)));
    const [code] = (await once(child, 'close')) as [number | null];
    return text.includes('unavailable') ? null : { code: code ?? 1, text };
  });
}
