// Opens an onnxruntime session as the profile asks and proves that the asked provider runs the model.
// Threads do not spin: a waiting model must not burn the cores that its neighbour needs.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import type { DeviceProfile, ExecutionProvider } from '#protocol/profile.ts';
import type { Feeds } from './ort-tensors.ts';
import { kernelTimeByProvider, providerMissing, requireProvider } from './provider-check.ts';

/**
 * `probeFeeds` makes inputs for one run that is watched; it is only called where a fall back is possible.
 * Errors: provider-missing, model-load-failed.
 */
export async function openSession(
  weightsPath: string,
  profile: DeviceProfile,
  threads: number,
  probeFeeds: (session: ort.InferenceSession) => Promise<Feeds>,
): Promise<{ session: ort.InferenceSession; executionProvider: ExecutionProvider }> {
  const asked = profile.executionProviders[0] ?? 'cpu';
  if (asked === 'cpu')
    return { session: await create(weightsPath, ['cpu'], threads), executionProvider: 'cpu' };
  const scratch = await mkdtemp(join(tmpdir(), 'holdfast-profile-'));
  try {
    const providers = profile.executionProviders.filter((provider) => provider !== 'cpu');
    const session = await create(weightsPath, providers, threads, join(scratch, 'run'));
    requireProvider(asked, await watchOneRun(session, await probeFeeds(session), scratch));
    return { session, executionProvider: asked };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Runs once and ends the session's profiling. Kernel time by provider, microseconds. */
export async function watchOneRun(
  session: ort.InferenceSession,
  feeds: Feeds,
  folder: string,
): Promise<Map<string, number>> {
  await session.run(feeds);
  session.endProfiling();
  const [name] = await readdir(folder);
  if (name === undefined) throw new HoldfastError('internal', 'onnxruntime wrote no profile of its run');
  return kernelTimeByProvider(await readFile(join(folder, name), 'utf8'));
}

export async function create(
  weightsPath: string,
  providers: readonly ExecutionProvider[],
  threads: number,
  profilePrefix?: string,
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(weightsPath, {
      executionProviders: providers,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
      ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
    });
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    const asked = providers[0] ?? 'cpu';
    if (asked !== 'cpu' && /ExecutionProvider|shared library|CUDA|TensorRT/i.test(what)) {
      throw providerMissing(asked, what, cause);
    }
    throw new HoldfastError('model-load-failed', `onnxruntime cannot load the model: ${what}`, {
      hint: 'check that the file is whole and that its opset and operators are supported',
      cause,
    });
  }
}
