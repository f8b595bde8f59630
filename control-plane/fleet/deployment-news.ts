// What a deployment report says that was not known before. Pure: reports come more than once, late, and in
// any order, as events and inside `reported`; only news is told.

import type { DeploymentReport, ReportedBody } from '#protocol/messages.ts';

/** Below zero when `a` is older than `b`: orders by seq, and within one order by the length of its history. */
export function compareReports(a: DeploymentReport, b: DeploymentReport): number {
  return a.seq - b.seq || a.history.length - b.history.length || a.attempts - b.attempts;
}

/**
 * What to keep of a device's report. `kept` is what it said before, `sameBoot` whether the same run of the
 * agent said it: then a deployment event that overtook the report is not forgotten again.
 */
export function mergeReported(
  kept: ReportedBody | null,
  next: ReportedBody,
  sameBoot: boolean,
): ReportedBody {
  const known = kept?.deployment ?? null;
  if (!sameBoot || known === null) return next;
  if (next.deployment !== null && compareReports(next.deployment, known) >= 0) return next;
  return { ...next, deployment: known };
}

/** One line for people about a report, or null when its state is the one last told. */
export function deploymentNews(
  deviceId: string,
  known: DeploymentReport | null,
  report: DeploymentReport,
): string | null {
  if (known !== null && compareReports(report, known) < 0) return null;
  if (known !== null && known.seq === report.seq && known.state === report.state) return null;
  const release = report.model === undefined ? '' : ` ${report.model} ${report.version ?? ''}`.trimEnd();
  const reason = report.reason === undefined ? '' : ` (${report.reason})`;
  const because =
    report.evidence.findLast((evidence) => evidence.verdict !== 'pass')?.summary ?? report.detail;
  return `${deviceId}${release}: ${report.state}${reason}${because === undefined ? '' : `: ${because}`}`;
}
