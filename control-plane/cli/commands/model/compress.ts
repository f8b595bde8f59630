import { setTimeout as pause } from 'node:timers/promises';
import { jobSchema, modelVersionDetailSchema } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { verb, type AddCommand } from '../../command.ts';
import { uploadFile } from '../../file-upload.ts';
import { versionDetailLines } from '../../model-lines.ts';
import { collect, parseCount } from '../../parse.ts';

interface Options {
  readonly version: number;
  readonly profile: string[];
  readonly calibration?: string;
  readonly evaluation?: string;
}

const POLL_MS = 500;

export const addModelCompress: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'compress <model>',
    'a variant of a version for each profile: the best of its candidates',
    (command) =>
      command
        .requiredOption('--version <n>', 'which version', parseCount)
        .requiredOption('--profile <names>', 'device classes, by commas or repeated', collect)
        .option('--calibration <file>', 'dataset (safetensors) that int8 ranges come from')
        .option('--evaluation <file>', 'labelled dataset (safetensors) to measure on'),
    async (context, options, model) => {
      const { api, out, signal } = context;
      const path = `/models/${encodeURIComponent(model ?? '')}/versions/${options.version}`;
      const calibrationSha256 = await uploadIfGiven(options.calibration);
      const evaluationSha256 = await uploadIfGiven(options.evaluation);
      const body = { profiles: options.profile, calibrationSha256, evaluationSha256 };
      let job = await api.post(`${path}/variants`, { body, answer: jobSchema });
      for (let told = ''; job.state === 'queued' || job.state === 'running';) {
        if (job.message !== told) out.aside(`${job.progressPct.toFixed(0).padStart(3)} %  ${job.message}`);
        told = job.message;
        await pause(POLL_MS, undefined, { signal });
        job = await api.get(`/jobs/${job.id}`, jobSchema);
      }
      const version = await api.get(path, modelVersionDetailSchema);
      if (job.state !== 'succeeded') {
        for (const line of versionDetailLines(version)) out.aside(line);
        throw new HoldfastError(
          'compression-failed',
          `job ${job.id} ${job.state}: ${job.error?.detail ?? job.message}`,
        );
      }
      out.answer(version, () => versionDetailLines(version));

      function uploadIfGiven(file: string | undefined): Promise<string | undefined> {
        return file === undefined ? Promise.resolve(undefined) : uploadFile(context, file);
      }
    },
  );
