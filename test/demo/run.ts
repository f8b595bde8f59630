// Starts the demo's fleet, tells the story, and hands everything over still running.

import { rm } from 'node:fs/promises';
import { demoProfiles, DemoFleet, machineInWords } from './fleet.ts';
import { Cameras } from './camera.ts';
import { uploadDatasets } from './digits-assets.ts';
import type { ManagedProcess } from './managed-process.ts';
import { Reporter, type DemoReport } from './report.ts';
import { devicesOf, patiently, until } from './steps.ts';
import { tellStory } from './story.ts';

export interface DemoOptions {
  readonly folder: string;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
  /** Sees every process before it starts. */
  readonly onProcess?: (process: ManagedProcess) => void;
}

export interface RunningDemo extends AsyncDisposable {
  readonly report: DemoReport;
  readonly fleet: DemoFleet;
  nextThings(): string[];
}

const DEVICES = ['edge-1', 'edge-2', 'edge-3'];

export async function runDemo(options: DemoOptions): Promise<RunningDemo> {
  const { folder, print, signal } = options;
  const reporter = new Reporter(print);
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    if (reporter.report().ok) await rm(folder, { recursive: true, force: true });
  });
  const fleet = new DemoFleet(folder);
  options.onProcess?.(fleet.plane);
  stack.use(fleet);
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(new Error('stopped'));
  signal.addEventListener('abort', stop, { once: true });
  print(`Holdfast's main job on this machine (${machineInWords()}).`);
  try {
    await Promise.race([stopped.promise, tell(fleet, reporter, stack, options)]);
  } catch (error) {
    print(`  FAILED: ${error instanceof Error ? error.message : String(error)}`);
  }
  signal.removeEventListener('abort', stop);
  const owned = stack.move();
  return {
    report: reporter.report(),
    fleet,
    nextThings: () => nextThings(fleet),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function tell(
  fleet: DemoFleet,
  reporter: Reporter,
  stack: AsyncDisposableStack,
  options: DemoOptions,
): Promise<void> {
  const profiles = demoProfiles();
  await reporter.step('A control plane starts', 'it says its addresses once they answer', async () => {
    await fleet.startPlane();
    const answer = await fetch(new URL('/healthz', fleet.server));
    reporter.say(`console: ${fleet.server}/#token=${fleet.token}`);
    return { seen: `${fleet.server} answers ${answer.status}`, ok: answer.ok };
  });
  await reporter.step(
    'Three agents enrol with one-time claims and keys of their own',
    'three devices online, each with its profile',
    async () => {
      await Promise.all(
        profiles.map((profile, index) =>
          fleet.startAgent(DEVICES[index] as string, profile, options.onProcess),
        ),
      );
      const devices = await until('three devices online', async () => {
        const all = await devicesOf(fleet.api());
        return all.filter((device) => device.online).length === profiles.length ? all : null;
      });
      const seen = devices.map((device) => `${device.id} (${device.profile})`).join(', ');
      const matches = devices.every((device) => device.profile === profiles[DEVICES.indexOf(device.id)]);
      return { seen: `online: ${seen}`, ok: devices.length === 3 && matches };
    },
  );
  const datasets = await patiently(() => uploadDatasets(fleet.api()));
  const cameras = new Cameras(datasets.live);
  stack.use(cameras);
  await tellStory({ fleet, cameras, reporter, datasets, profiles });
}

function nextThings(fleet: DemoFleet): string[] {
  const agent = fleet.agents[0];
  return [
    '',
    'The fleet stays up. Next things to try:',
    `  open the console                 ${fleet.server}/#token=${fleet.token}`,
    `  open a device's own page         ${agent?.url}/`,
    `  in another terminal              export HOLDFAST_SERVER=${fleet.server} HOLDFAST_TOKEN=${fleet.token}`,
    '  what the devices run             npm run -s holdfast -- device list',
    '  ship the better version again    npm run -s holdfast -- rollout create --model digits --version 5',
    '  kill an agent, see it come back  it holds fast to its version; start it again with npm run agent',
    'Ctrl-C stops everything and removes the folder.',
  ];
}
