// Compression jobs with their real child processes, on the committed digit reader and real images.

import type { DeviceTimer } from '#control-plane/registry/device-timer.ts';
import { makeVariants } from '#control-plane/registry/make-variants.ts';
import type { Job } from '#protocol/api.ts';
import type { CompressionRecipe } from '#protocol/compression.ts';
import { profileSchema, type DeviceProfile } from '#protocol/profile.ts';
import { datasetBytes, testImages, trainImages } from '#test/demo/digits-data.ts';
import {
  ACTOR, importDigits, registryWorld, type Digits, type RegistryWorld,
} from '#test/unit/control-plane/registry/registry-world.ts'; // prettier-ignore

const NO_DEVICES: DeviceTimer = { time: () => Promise.resolve(null) };
/** Whatever machine runs the tests. */
const MACHINE = { architecture: 'x64', vnni: false };

export const ORIGINAL: CompressionRecipe = { kind: 'original' };

export function int8(perChannel = true): CompressionRecipe {
  return {
    kind: 'static-int8', activation: 'u8', symmetric: false, floatBias: false, perChannel, reduceRange: true,
    calibration: { method: 'minmax', samples: 50 },
  }; // prettier-ignore
}

/** A device class that no machine stands in for, so that order alone decides. */
export function testProfile(
  name: string,
  candidates: readonly CompressionRecipe[],
  budgets: Partial<DeviceProfile['budgets']> = {},
): DeviceProfile {
  return profileSchema.parse({
    schema: 'holdfast.profile/v1',
    name,
    description: 'for tests',
    architecture: 'arm64',
    executionProviders: ['cpu'],
    memoryBytes: 1e9,
    budgets: { p95LatencyMs: 1_000, weightsBytes: 1e9, memoryBytes: 1e9, ...budgets },
    compression: { candidates, maxAccuracyLoss: 0.05 },
    compressedTolerance: { maxRangeShare: 0.1, minTop1Agreement: 0.9 },
  });
}

export interface CompressionWorld extends AsyncDisposable {
  readonly own: RegistryWorld;
  readonly model: Digits;
  readonly datasets: { readonly calibrationSha256: string; readonly evaluationSha256: string };
  /** What jobs said they were doing, each once in a row. */
  readonly messages: string[];
  /** Starts a job for the profiles, which are known from then on. */
  start(...profiles: DeviceProfile[]): Promise<Job>;
  /** The job once it has ended. */
  ended(id: string): Promise<Job>;
  run(...profiles: DeviceProfile[]): Promise<Job>;
}

export async function compressionWorld(
  deviceTimer: DeviceTimer = NO_DEVICES,
  onMessage: (message: string, world: CompressionWorld) => void = () => undefined,
): Promise<CompressionWorld> {
  const messages: string[] = [];
  const own = await registryWorld(
    ({ deps, scratchRoot }) =>
      (job, context) =>
        makeVariants({ ...deps, scratchRoot: `${scratchRoot}/scratch`, deviceTimer, machine: MACHINE }, job, {
          signal: context.signal,
          progress(pct, message) {
            if (messages.at(-1) !== message) messages.push(message);
            onMessage(message, world);
            context.progress(pct, message);
          },
        }),
  );
  const model = await importDigits(own);
  const { blobs, registry, deps } = own;
  const datasets = {
    calibrationSha256: (await blobs.putBytes(datasetBytes(await trainImages(), 200))).sha256,
    evaluationSha256: (await blobs.putBytes(datasetBytes(await testImages(), 500))).sha256,
  };
  const known = deps.profiles as Map<string, DeviceProfile>;
  const world: CompressionWorld = {
    own,
    model,
    datasets,
    messages,
    start(...profiles) {
      for (const profile of profiles) known.set(profile.name, profile);
      const names = profiles.map(({ name }) => name);
      return registry.createVariants('digits', 1, { profiles: names, ...datasets }, ACTOR);
    },
    ended: (id) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          registry.getJob(id).then((job) => {
            if (!['queued', 'running'].includes(job.state)) resolve(job);
          }, reject);
        };
        deps.events.subscribe(({ subject }) => subject === id && look());
        look();
      }),
    run: async (...profiles) => world.ended((await world.start(...profiles)).id),
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  };
  return world;
}
