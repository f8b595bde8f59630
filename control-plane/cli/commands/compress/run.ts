import { writeFile } from 'node:fs/promises';
import type { CompressionReport } from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { localVerb, type AddCommand } from '../../command.ts';
import { recipeOf, withRecipeOptions, type RecipeOptions } from './recipe-options.ts';
import { reportLines } from './report-lines.ts';

interface Options extends RecipeOptions {
  readonly model: string;
  readonly calibration?: string;
  readonly out: string;
  readonly report?: string;
  readonly normalise?: true;
}

export const addCompressRun: AddCommand = (noun, surroundings) =>
  localVerb<Options>(
    noun,
    surroundings,
    'run',
    'compress one ONNX file',
    (command) =>
      withRecipeOptions(
        command
          .requiredOption('--model <file>', 'ONNX model')
          .option('--calibration <dir>', 'a folder a sample, in it <input name>.npy for each input')
          .requiredOption('--out <file>', 'where the compressed model goes')
          .option(
            '--report <file>',
            'where the full report goes, JSON: also the noisiest layers, and speed and answers against the original',
          )
          .option('--normalise', 'first fold constants and BatchNorm and raise the operator set to 17'),
      ),
    async ({ out, signal }, options) => {
      const recipe = recipeOf(options);
      const { compressFile } = await import('../../../compression/alone/compress-file.ts');
      let told = '';
      const report = await compressFile({
        modelPath: options.model,
        calibrationDir: options.calibration ?? null,
        recipe,
        exact: options.normalise === undefined,
        outPath: options.out,
        detailed: options.report !== undefined,
        signal,
        progress({ phase, done, total }) {
          const line = total > 1 ? `${phase} ${10 * Math.floor((10 * done) / total)} %` : phase;
          if (line !== told) out.aside(line);
          told = line;
        },
      });
      const answer = { model: options.model, out: options.out, recipe, ...report };
      if (options.report !== undefined) await writeReport(options.report, answer);
      out.answer(answer, () => reportLines(report, report.comparison));
    },
  );

async function writeReport(path: string, report: CompressionReport): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
  } catch (cause) {
    throw new HoldfastError('bad-config', `the report cannot be written to ${path}`, {
      hint: 'give a path in a folder that is there and may be written to',
      cause,
    });
  }
}
