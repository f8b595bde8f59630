// Prints one closing line, `N passed, M failed, K skipped`, from the JSON report of Vitest. The status is 0
// only where tests ran, none failed and none was skipped.
// Usage: node test/build/test-totals.ts REPORT.json

import { readFileSync } from 'node:fs';
import { z } from 'zod';

const reportSchema = z.object({
  success: z.boolean(),
  numPassedTests: z.int().nonnegative(),
  numFailedTests: z.int().nonnegative(),
  numPendingTests: z.int().nonnegative(),
  numTodoTests: z.int().nonnegative(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: test-totals.ts REPORT.json');
const report = reportSchema.parse(JSON.parse(readFileSync(path, 'utf8')));

// A file that fails before its first test counts no test: it is one failure.
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
);
for (const { name, message } of brokenFiles) console.log(`failed: ${name}: ${message?.split('\n')[0] ?? ''}`);
for (const { assertionResults } of report.testResults) {
  for (const { fullName, status } of assertionResults)
    if (status !== 'passed') console.log(`${status}: ${fullName}`);
}

const failed = report.numFailedTests + brokenFiles.length;
const skipped = report.numPendingTests + report.numTodoTests;
console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = report.success && report.numPassedTests > 0 && failed === 0 && skipped === 0 ? 0 : 1;
