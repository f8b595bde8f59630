// What people and programs do with models: import versions, have them compressed, sign them.

import { randomUUID } from 'node:crypto';
import type { Job, Model, ModelVersion, ModelVersionDetail } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { Provenance } from '#protocol/provenance.ts';
import { releaseTargetPath } from '#protocol/release.ts';
import { needsCalibration } from '../compression/compress.ts';
import type { ImageRepository } from '../trust/image-repository.ts';
import { SerialQueue } from '../trust/serial-queue.ts';
import { addSignature, type GivenSignature } from './add-signature.ts';
import type { ImportDeps, CreateVersionRequest } from './import-version.ts';
import { importVersion } from './import-version.ts';
import type { JobQueue } from './job-queue.ts';
import { publicJob, type VariantsRequest } from './job-store.ts';

import { profileByName, type Profiles } from './profiles.ts';
import { readProvenance } from './provenance-chain.ts';
import { signVersion, type SignDeps } from './sign-version.ts';
import { getVersion, listModels, listVersions, variantRows } from './store.ts';
import { listChoices } from './trial-store.ts';
import { calibrationMissing } from './trials.ts';

/** A release that devices may be ordered to run. */
export interface Release {
  readonly manifestSha256: string;
  readonly manifestLengthBytes: number;
  readonly targetPath: string;
  readonly releaseCounter: number;
}

export interface RegistryDeps extends ImportDeps, SignDeps {
  readonly image: ImageRepository;
  readonly profiles: Profiles;
  readonly jobs: JobQueue;
}

export class Registry {
  readonly #deps: RegistryDeps;
  readonly #signing = new SerialQueue();

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
  }

  get profiles(): Profiles {
    return this.#deps.profiles;
  }

  /** See `importVersion` for the errors. */
  async createVersion(request: CreateVersionRequest, actor: string): Promise<ModelVersion> {
    const number = await importVersion(this.#deps, request, actor);
    return this.getVersion(request.contract.model, number);
  }

  /** Throws `not-found`. */
  getVersion(model: string, version: number): Promise<ModelVersion> {
    return getVersion(this.#deps.store.db, model, version);
  }

  /** With everything that was tried on it. Throws `not-found`. */
  async getVersionDetail(model: string, version: number): Promise<ModelVersionDetail> {
    const { db } = this.#deps.store;
    return { ...(await getVersion(db, model, version)), choices: await listChoices(db, model, version) };
  }

  listModels(): Promise<Model[]> {
    return listModels(this.#deps.store.db);
  }

  /** Throws `not-found`. */
  async getModel(name: string): Promise<Model> {
    const found = (await this.listModels()).find((model) => model.name === name);
    if (found !== undefined) return found;
    throw new HoldfastError('not-found', `no model is called ${name}`, {
      hint: 'GET /api/v1/models lists those there are',
    });
  }

  /** Newest first. Throws `not-found`. */
  async listVersions(model: string): Promise<ModelVersion[]> {
    await this.getModel(model);
    return listVersions(this.#deps.store.db, model);
  }

  /** Starts the job that makes the variants. Errors: `not-found`, `profile-unknown`, `dataset-invalid`. */
  async createVariants(
    model: string,
    version: number,
    request: VariantsRequest,
    actor: string,
  ): Promise<Job> {
    const { profiles, jobs, nowMs } = this.#deps;
    await this.getVersion(model, version);
    const wanted = request.profiles.map((name) => profileByName(profiles, name));
    const isCalibrated = wanted.some(({ compression }) => compression.candidates.some(needsCalibration));
    if (isCalibrated && request.calibrationSha256 === undefined) throw calibrationMissing();
    for (const sha256 of [request.calibrationSha256, request.evaluationSha256]) {
      if (sha256 !== undefined) await this.#assertUploaded(sha256);
    }
    const id = `job-${randomUUID()}`;
    const detail = { jobId: id, profiles: request.profiles };
    await this.#deps.audit.record({
      actor,
      action: 'model.compress',
      subject: `${model}/${version}`,
      detail,
    });
    const job = await jobs.add({
      id,
      kind: 'compression',
      state: 'queued',
      model,
      version,
      progressPct: 0,
      message: 'waiting',
      error: null,
      createdAtMs: nowMs(),
      updatedAtMs: nowMs(),
      request,
      actor,
    });
    return publicJob(this.#deps.store.db, job);
  }

  async getJob(id: string): Promise<Job> {
    return publicJob(this.#deps.store.db, await this.#deps.jobs.get(id));
  }

  async cancelJob(id: string, actor: string): Promise<Job> {
    const job = await this.#deps.jobs.cancel(id);
    await this.#deps.audit.record({ actor, action: 'job.cancel', subject: id, detail: { state: job.state } });
    return publicJob(this.#deps.store.db, job);
  }

  /** Takes the authors' signature of a version, unless it has a right one. Errors: `not-found`, `signature-invalid`. */
  addSignature(model: string, version: number, given: GivenSignature, actor: string): Promise<ModelVersion> {
    return this.#signing.run(() => addSignature(this.#deps, { model, version }, given, actor));
  }

  /** Where a version and its variants come from, verified now. Throws `not-found`. */
  provenance(model: string, version: number): Promise<Provenance> {
    return readProvenance(this.#deps, model, version);
  }

  /** Signs every variant that is not signed yet; safe to repeat. See `signVersion` for the errors. */
  signVersion(model: string, version: number, actor: string): Promise<ModelVersion> {
    return this.#signing.run(() => signVersion(this.#deps, model, version, actor));
  }

  /** Null when the version has no signed variant for the profile. */
  async release(model: string, version: number, profile: string): Promise<Release | null> {
    const [row] = await variantRows(this.#deps.store.db, model, version, profile);
    if (row === undefined || row.manifest_sha256 === null || row.release_counter === null) return null;
    const manifestLengthBytes = await this.#deps.blobs.sizeBytes(row.manifest_sha256);
    if (manifestLengthBytes === null) {
      throw new HoldfastError('state-corrupt', `the signed manifest ${row.manifest_sha256} is missing`, {
        hint: 'put back a backup of the blobs folder',
      });
    }
    return {
      manifestSha256: row.manifest_sha256,
      manifestLengthBytes,
      targetPath: releaseTargetPath(model, version, profile),
      releaseCounter: row.release_counter,
    };
  }

  async #assertUploaded(sha256: string): Promise<void> {
    if (await this.#deps.blobs.has(sha256)) return;
    throw new HoldfastError('not-found', `the dataset ${sha256} is not uploaded`, {
      hint: `PUT /api/v1/blobs/${sha256} first`,
    });
  }
}
