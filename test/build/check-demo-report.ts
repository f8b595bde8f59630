// Checks demo-report.json, which `npm run demo -- --once` writes: its shape, and that each step went as expected.
// Usage: node test/build/check-demo-report.ts demo-report.json

import { readFileSync } from 'node:fs';
import { z } from 'zod';

const demoReportSchema = z.object({
  ok: z.boolean(),
  seconds: z.number().positive(),
  steps: z
    .array(
      z.object({
        name: z.string().min(1),
        expected: z.string(),
        seen: z.string(),
        ok: z.boolean(),
        seconds: z.number().nonnegative(),
      }),
    )
    .min(1),
});

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: check-demo-report.ts demo-report.json');
const report = demoReportSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
const wrong = report.steps.filter((step) => !step.ok);
for (const { name, expected, seen } of wrong) console.error(`${name}: expected ${expected}, saw ${seen}`);
console.log(`${report.steps.length - wrong.length} of ${report.steps.length} demo steps as expected`);
process.exitCode = report.ok && wrong.length === 0 ? 0 : 1;
