// Releases and orders made up for the agent's tests: whole and valid, with digests drawn from a name.

import { createHash } from 'node:crypto';
import { MODEL_CONTRACT_SCHEMA } from '#protocol/model-contract.ts';
import { DEFAULT_DEPLOYMENT_POLICY, RELEASE_MANIFEST_SCHEMA, releaseTargetPath } from '#protocol/release.ts';
import type { DeploymentPolicy, ReleaseManifest } from '#protocol/release.ts';
import type { InstalledRelease } from '#agent/ports/journal.ts';
import type { VerifiedOrder } from '#agent/ports/release-verifier.ts';

export const TEST_PROFILE = 'cpu-generic';
export const TEST_DEVICE = 'gate-1';

export function digestOf(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A release of the model `digits`; its weights are named by its version unless told. */
export function aManifest(version: number, weights = `weights of ${version}`): ReleaseManifest {
  const blob = { sha256: digestOf(weights), sizeBytes: Buffer.byteLength(weights) };
  const golden = `golden of ${version}`;
  const tolerance = { maxAbs: 0.001, minTop1Agreement: 1 };
  return {
    schema: RELEASE_MANIFEST_SCHEMA,
    model: 'digits',
    version,
    profile: TEST_PROFILE,
    releaseCounter: version,
    contract: {
      schema: MODEL_CONTRACT_SCHEMA,
      model: 'digits',
      weights: blob,
      golden: { sha256: digestOf(golden), sizeBytes: Buffer.byteLength(golden), count: 1, tolerance },
      inputs: [{ name: 'image', dtype: 'FP32', shape: [1, 1, 2, 2] }],
      outputs: [{ name: 'scores', dtype: 'FP32', shape: [1, 2] }],
      preprocess: { kind: 'none' },
      postprocess: { kind: 'classify', output: 'scores', activation: 'none', topK: 2, minConfidence: 0 },
      labels: ['no', 'yes'],
      budgets: { p95LatencyMs: 100, peakMemoryBytes: 50_000_000, maxDisagreementRate: 0.05 },
      lineage: {
        parents: [],
        dataset: null,
        codeSha256: null,
        trainingJob: null,
        hyperParameters: {},
        seed: null,
        metrics: {},
        createdBy: 'a test',
      },
    },
    variant: {
      weights: blob,
      precision: 'original',
      recipe: { kind: 'original' },
      sourceSha256: blob.sha256,
      tolerance,
    },
  };
}

export function manifestBytes(manifest: ReleaseManifest): Buffer {
  return Buffer.from(JSON.stringify(manifest));
}

export interface OrderWords {
  readonly seq: number;
  readonly version: number;
  readonly policy?: Partial<DeploymentPolicy>;
  readonly profile?: string;
  readonly rolloutId?: string;
}

export function anOrder(words: OrderWords, manifest = aManifest(words.version)): VerifiedOrder {
  const bytes = manifestBytes(manifest);
  const profile = words.profile ?? TEST_PROFILE;
  return {
    targetPath: releaseTargetPath(manifest.model, words.version, profile),
    manifestSha256: digestOf(bytes),
    manifestLengthBytes: bytes.length,
    order: {
      deviceId: TEST_DEVICE,
      rolloutId: words.rolloutId ?? `rollout-${words.seq}`,
      seq: words.seq,
      profile,
      releaseCounter: manifest.releaseCounter,
      policy: { ...DEFAULT_DEPLOYMENT_POLICY, ...words.policy },
    },
    floor: 0,
    sourceSha256: null,
    authorSignature: null,
  };
}

export function anInstalled(version: number, manifest = aManifest(version)): InstalledRelease {
  const bytes = manifestBytes(manifest);
  return {
    manifest,
    manifestBlob: { sha256: digestOf(bytes), sizeBytes: bytes.length },
    running: {
      model: manifest.model,
      version,
      profile: manifest.profile,
      weightsSha256: manifest.variant.weights.sha256,
      sinceMs: 0,
    },
  };
}
