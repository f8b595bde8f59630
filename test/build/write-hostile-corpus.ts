// Writes the committed files of the hostile corpus again, from the builders that make them. Run by hand after a
// change of a builder: node test/build/write-hostile-corpus.ts

import { readFileSync, writeFileSync } from 'node:fs';
import { hostilePath, type Builders } from '#test/integration/hostile/corpus.ts';
import { IMAGE_FILES } from '#test/integration/hostile/image-files.ts';
import { ONNX_FILES } from '#test/integration/hostile/onnx-files.ts';
import { ONNX_MODELS } from '#test/integration/hostile/onnx-models.ts';
import { SAFETENSORS_FILES } from '#test/integration/hostile/safetensors-files.ts';

const FOLDERS: Readonly<Record<string, Builders>> = {
  onnx: { ...ONNX_FILES, ...ONNX_MODELS },
  images: IMAGE_FILES,
  safetensors: SAFETENSORS_FILES,
};

for (const [folder, builders] of Object.entries(FOLDERS)) {
  const rows = JSON.parse(readFileSync(hostilePath(folder, 'corpus.json'), 'utf8')) as { file?: string }[];
  for (const file of new Set(rows.flatMap((row) => row.file ?? []))) {
    const build = builders[file.replace(/\.[a-z0-9.]+$/, '')];
    if (build === undefined) throw new Error(`no builder makes ${folder}/${file}`);
    writeFileSync(hostilePath(folder, file), build());
  }
}
