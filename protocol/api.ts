// Resources and requests of the control plane's REST API under /api/v1, shared by server, command line
// and console. Lists answer `{items: [...]}`; errors answer RFC 9457 problem+json.

import { z } from 'zod';
import { deviceStateSchema } from './device-state.ts';
import { evidenceSchema } from './evidence.ts';
import {
  blobRefSchema, counterSchema, deviceIdSchema, fleetNameSchema, modelNameSchema, profileNameSchema, sha256Schema, timestampMsSchema,
  versionNumberSchema,
} from './identifiers.ts'; // prettier-ignore
import { modelContractSchema } from './model-contract.ts';
import { reportedBodySchema } from './messages.ts';
import {
  candidateSchema,
  compressionRecipeSchema,
  compressionReportSchema,
  precisionSchema,
  variantComparisonSchema,
} from './compression.ts';
import { deploymentPolicySchema } from './release.ts';
import {
  rolloutGatesSchema,
  rolloutPhaseSchema,
  rolloutSchema,
  selectorSchema,
  waveSchema,
} from './rollout.ts';

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  hint: z.string().optional(),
  instance: z.string().optional(),
});
export type Problem = z.infer<typeof problemSchema>;

// --- devices and enrolment

export const enrolmentInfoSchema = z.strictObject({
  fleet: fleetNameSchema,
  /** The authority or, while it is being replaced, both: the claim says which to believe. */
  caPem: z.string().max(20_000),
  gatewayUrl: z.string().max(500),
  mqttUrl: z.string().max(500),
});
export type EnrolmentInfo = z.infer<typeof enrolmentInfoSchema>;

export const enrolRequestSchema = z.strictObject({
  claim: z.string().max(500),
  csrPem: z.string().max(10_000),
  profile: profileNameSchema,
});
export const enrolResponseSchema = z.strictObject({
  deviceId: deviceIdSchema,
  fleet: fleetNameSchema,
  certificatePem: z.string().max(20_000),
  caPem: z.string().max(20_000),
  gatewayUrl: z.string().max(500),
  mqttUrl: z.string().max(500),
  imageRoot: z.string().max(200_000),
  directorRoot: z.string().max(200_000),
});
export type EnrolResponse = z.infer<typeof enrolResponseSchema>;

/** POST /renew at the gateway, with the present certificate: another one for the same key. */
export const renewRequestSchema = z.strictObject({ csrPem: z.string().max(10_000) });
export const renewResponseSchema = z.strictObject({
  certificatePem: z.string().max(20_000),
  /** Every authority to believe from now on. */
  caPem: z.string().max(20_000),
  expiresAtMs: timestampMsSchema,
});
export type RenewResponse = z.infer<typeof renewResponseSchema>;

/** GET /standing at the gateway: how the control plane sees the device that asks. */
export const standingSchema = z.strictObject({
  state: z.enum(['active', 'quarantined']),
  caPem: z.string().max(20_000),
  /** Its certificate is of an authority that is being replaced. */
  isRenewalDue: z.boolean(),
});
export type Standing = z.infer<typeof standingSchema>;

export const deviceSchema = z.strictObject({
  id: deviceIdSchema,
  profile: profileNameSchema,
  labels: z.record(z.string(), z.string()),
  state: deviceStateSchema,
  /** Why it is in this state, who decided so, and when; null while nobody has. */
  decision: z.strictObject({ reason: z.string(), actor: z.string(), atMs: timestampMsSchema }).nullable(),
  /** sha256 of its public key, which the agent shows too; null for one that enrolled before that was kept. */
  keySha256: sha256Schema.nullable(),
  certificateExpiresAtMs: timestampMsSchema.nullable(),
  online: z.boolean(),
  lastSeenMs: timestampMsSchema.nullable(),
  enrolledAtMs: timestampMsSchema,
  desiredSeq: counterSchema,
  desired: z
    .strictObject({ model: modelNameSchema, version: versionNumberSchema, rolloutId: z.string() })
    .nullable(),
  reported: reportedBodySchema.nullable(),
});
export type Device = z.infer<typeof deviceSchema>;

// --- registry

export const modelSchema = z.strictObject({
  name: modelNameSchema,
  latestVersion: versionNumberSchema,
  versions: z.int().min(1),
  createdAtMs: timestampMsSchema,
});
export type Model = z.infer<typeof modelSchema>;

export const evaluationSchema = z.strictObject({
  datasetSha256: sha256Schema,
  samples: z.int().min(0),
  /** Share of right top-1 answers, 0 to 1; null when the contract has no classification. */
  accuracy: z.number().min(0).max(1).nullable(),
  perClass: z.array(z.strictObject({ label: z.string(), count: z.int(), accuracy: z.number() })),
  latencyP50Ms: z.number().min(0),
  latencyP95Ms: z.number().min(0),
  /** Share of samples whose top-1 differs from the original's; null for the original itself. */
  disagreement: z.number().min(0).max(1).nullable(),
});
export type Evaluation = z.infer<typeof evaluationSchema>;

export const variantSchema = z.strictObject({
  profile: profileNameSchema,
  precision: precisionSchema,
  weights: blobRefSchema,
  recipe: compressionRecipeSchema,
  /** Signed releases have a counter and a manifest; null before signing. */
  releaseCounter: counterSchema.nullable(),
  manifestSha256: sha256Schema.nullable(),
  evaluation: evaluationSchema.nullable(),
  /** What the compression did; null for the original, to which nothing was done. */
  report: compressionReportSchema.nullable(),
  /** Against the original; null for the original itself, and without an evaluation. */
  comparison: variantComparisonSchema.nullable(),
});
export type Variant = z.infer<typeof variantSchema>;

export const modelVersionSchema = z.strictObject({
  model: modelNameSchema,
  version: versionNumberSchema,
  contractSha256: sha256Schema,
  contract: modelContractSchema,
  createdAtMs: timestampMsSchema,
  evaluation: evaluationSchema.nullable(),
  variants: z.array(variantSchema),
});
export type ModelVersion = z.infer<typeof modelVersionSchema>;

/** What was tried for a profile, in the profile's order, and how it was decided. */
export const profileChoiceSchema = z.strictObject({
  profile: profileNameSchema,
  decidedAtMs: timestampMsSchema,
  /** None is `proposed` where no candidate is within the profile's budgets. */
  candidates: z.array(candidateSchema),
});
export type ProfileChoice = z.infer<typeof profileChoiceSchema>;

/** One version with everything that was tried on it. */
export const modelVersionDetailSchema = modelVersionSchema.extend({ choices: z.array(profileChoiceSchema) });
export type ModelVersionDetail = z.infer<typeof modelVersionDetailSchema>;

/** Weights and golden blobs are uploaded first (PUT /blobs/<sha256>); the contract names them. */
export const createVersionSchema = z.strictObject({
  contract: modelContractSchema,
  /** The number it must get; taken as next free otherwise. Importing the same contract again answers the same version. */
  version: versionNumberSchema.optional(),
  /** OpenSSF Model Signing bundle by an author, over contract.json, weights.onnx and golden.safetensors. */
  signature: z.json().optional(),
  /** DSSE envelope by an author around SLSA provenance; comes with a signature alone. */
  provenance: z.json().optional(),
});

export const createVersionSignatureSchema = z.strictObject({
  signature: z.json(),
  provenance: z.json().optional(),
});

export const createVariantsSchema = z.strictObject({
  profiles: z.array(profileNameSchema).min(1).max(50),
  /** Datasets (safetensors blobs, already uploaded) for calibration and for evaluation. */
  calibrationSha256: sha256Schema.optional(),
  evaluationSha256: sha256Schema.optional(),
});

export const jobSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(['compression']),
  state: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  model: modelNameSchema,
  version: versionNumberSchema,
  progressPct: z.number().min(0).max(100),
  message: z.string(),
  error: z.strictObject({ code: z.string(), detail: z.string() }).nullable(),
  /** What has been decided for the profiles it was asked for; the version holds the numbers. */
  choices: z.array(
    z.strictObject({
      profile: profileNameSchema,
      candidates: z.array(candidateSchema.pick({ recipe: true, verdict: true, why: true })),
    }),
  ),
  createdAtMs: timestampMsSchema,
  updatedAtMs: timestampMsSchema,
});
export type Job = z.infer<typeof jobSchema>;

// --- rollouts

export const createRolloutSchema = z.strictObject({
  model: modelNameSchema,
  version: versionNumberSchema,
  selector: selectorSchema.default({}),
  waves: z.array(waveSchema).min(1).max(100).optional(),
  gates: rolloutGatesSchema.partial().optional(),
  policy: deploymentPolicySchema.partial().optional(),
  /** Makes a repeated request answer the first one's rollout. */
  requestId: z.string().min(8).max(64).optional(),
  /** Stops after planning, in phase `draft`. */
  draft: z.boolean().default(false),
  /** Waits for a person's `start`. */
  approval: z.boolean().default(false),
  /** Begins by itself at this time. */
  startAtMs: timestampMsSchema.nullable().default(null),
});
export type CreateRollout = z.input<typeof createRolloutSchema>;

export const rolloutSummarySchema = rolloutSchema.omit({ devices: true, plan: true, selector: true }).extend({
  phase: rolloutPhaseSchema,
  counts: z.record(z.string(), z.int()),
});
export type RolloutSummary = z.infer<typeof rolloutSummarySchema>;

// --- telemetry

export const telemetrySeriesSchema = z.strictObject({
  deviceId: deviceIdSchema,
  model: modelNameSchema,
  version: versionNumberSchema,
  profile: profileNameSchema,
  windows: z.int().min(0),
  fromMs: timestampMsSchema,
  toMs: timestampMsSchema,
  requests: z.int(),
  errors: z.int(),
  rejected: z.int(),
  labelled: z.int(),
  correct: z.int(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
});
export type TelemetrySeries = z.infer<typeof telemetrySeriesSchema>;

// --- brokers outside

/** What Mosquitto needs to enforce the rules of the embedded broker, as texts of files. */
export const mosquittoFilesSchema = z.strictObject({
  acl: z.string(),
  conf: z.string(),
  caPem: z.string(),
  crlPem: z.string().nullable(),
});
export type MosquittoFiles = z.infer<typeof mosquittoFilesSchema>;

/** What the settings call the files; the broker's own certificate and key are not among the answer. */
export const MOSQUITTO_FILES = {
  conf: 'mosquitto.conf',
  acl: 'holdfast.acl',
  ca: 'holdfast-ca.pem',
  crl: 'holdfast-crl.pem',
  certificate: 'server.pem',
  key: 'server.key',
} as const;

// --- live events (server-sent; `id` is the Last-Event-ID to resume from)

export const liveEventSchema = z.strictObject({
  id: z.int().min(1),
  kind: z.enum(['device', 'rollout', 'model', 'job', 'telemetry', 'claim', 'trust']),
  subject: z.string(),
  atMs: timestampMsSchema,
  /** One line for people. */
  summary: z.string(),
  evidence: z.array(evidenceSchema).optional(),
});
export type LiveEvent = z.infer<typeof liveEventSchema>;
