// `npm run bench -- <name> [--json]`: measurements that a reader can repeat. Results go to standard output,
// progress to standard error.

import { parseArgs } from 'node:util';
import { benchServe, serveTable } from './serve.ts';
import { benchVerdict, verdictTable } from './verdict.ts';

const NAMES = {
  serve: "the agent's throughput and latency over HTTP, against the bare session.run loop in the same run",
  verdict: 'pairs that a shadow needs, and how often it is wrong, on simulated latencies',
} as const;

const USAGE = `usage: npm run bench -- <name> [--json] [--rounds N] [--seconds S] [--runs N]
${Object.entries(NAMES)
  .map(([name, what]) => `  ${name.padEnd(8)} ${what}`)
  .join('\n')}
  --rounds, --seconds   serve: rounds of each case (7) and length of each side of a round (1)
  --runs                verdict: simulated shadows of each case (2000)
`;

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

async function run(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '1' },
      runs: { type: 'string', default: '2000' },
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
      rounds: positive('rounds', values.rounds),
      seconds: positive('seconds', values.seconds),
      progress,
    });
    process.stdout.write(values.json ? `${JSON.stringify({ cases })}\n` : serveTable(cases));
  } else {
    const cases = benchVerdict({ runs: positive('runs', values.runs), progress });
    process.stdout.write(values.json ? `${JSON.stringify({ cases })}\n` : verdictTable(cases));
  }
  return 0;
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
