// `npm run bench -- <name> [--json]`: measurements that a reader can repeat. Results go to standard output,
// progress to standard error.

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { SUBJECT_NAMES, type SubjectName } from './compress/subjects.ts';
import { compressMarkdown } from './compress-table.ts';
import { benchCompress } from './compress.ts';
import { goalsOf } from './compress/goals.ts';
import { benchServe, serveTable } from './serve.ts';
import { benchVerdict, verdictTable } from './verdict.ts';

const NAMES = {
  compress: "the compression engine beside onnxruntime's Python quantizer, on real models and inputs",
  serve: "the agent's throughput and latency over HTTP, against the bare session.run loop in the same run",
  verdict: 'pairs that a shadow needs, and how often it is wrong, on simulated latencies',
} as const;

const USAGE = `usage: npm run bench -- <name> [--json] [--rounds N] [--seconds S] [--runs N]
${Object.entries(NAMES)
  .map(([name, what]) => `  ${name.padEnd(9)} ${what}`)
  .join('\n')}
  --rounds, --seconds   serve: rounds of each case (7) and length of each side of a round (1)
  --runs                verdict: simulated shadows of each case (2000)
  --python              compress: interpreter of the reference (HOLDFAST_PYTHON); without it there is none
  --models              compress: some of ${SUBJECT_NAMES.join(', ')}
  --samples             compress: calibration samples of each model
  --quick               compress: digits in one configuration
  --markdown            compress: file that the table is written to
`;

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

async function run(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string', default: '1' },
      runs: { type: 'string', default: '2000' },
      python: { type: 'string' },
      models: { type: 'string' },
      samples: { type: 'string' },
      quick: { type: 'boolean', default: false },
      markdown: { type: 'string' },
    },
  });
  const [name, ...rest] = positionals;
  if (name === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (!Object.hasOwn(NAMES, name) || rest.length > 0)
    throw new RangeError(`there is no benchmark ${positionals.join(' ')}`);
  if (name === 'serve') {
    const cases = await benchServe({
      rounds: positive('rounds', values.rounds ?? '7'),
      seconds: positive('seconds', values.seconds),
      progress,
    });
    process.stdout.write(values.json ? `${JSON.stringify({ cases })}\n` : serveTable(cases));
  } else if (name === 'compress') {
    const results = await benchCompress({
      python: values.python ?? process.env['HOLDFAST_PYTHON'] ?? null,
      rounds: values.quick ? 1 : Math.ceil(positive('rounds', values.rounds ?? '3')),
      ...(values.quick && { models: ['digits'] as const, configurations: ['u8s8'], samples: 16 }),
      ...(values.models !== undefined && { models: values.models.split(',').map(subjectName) }),
      ...(values.samples !== undefined && { samples: Math.ceil(positive('samples', values.samples)) }),
      progress,
    });
    const markdown = compressMarkdown(results);
    if (values.markdown !== undefined) await writeFile(values.markdown, markdown);
    process.stdout.write(
      values.json ? `${JSON.stringify({ ...results, goals: goalsOf(results) })}\n` : markdown,
    );
  } else {
    const cases = benchVerdict({ runs: positive('runs', values.runs), progress });
    process.stdout.write(values.json ? `${JSON.stringify({ cases })}\n` : verdictTable(cases));
  }
  return 0;
}

function subjectName(text: string): SubjectName {
  const name = SUBJECT_NAMES.find((known) => known === text.trim());
  if (name !== undefined) return name;
  throw new RangeError(`--models must be some of ${SUBJECT_NAMES.join(', ')}, not ${text}`);
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`--${option} must be a number above 0, not ${text}`);
}

try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof RangeError || error instanceof TypeError ? 2 : 1;
}
