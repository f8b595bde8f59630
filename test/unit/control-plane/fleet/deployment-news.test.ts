import { describe, expect, test } from 'vitest';
import { compareReports, deploymentNews, mergeReported } from '#control-plane/fleet/deployment-news.ts';
import type { DeploymentReport } from '#protocol/messages.ts';
import { deploymentReport, reportedBody } from '#test/fixtures/protocol/sample-messages.ts';

const early = deploymentReport(2, ['queued', 'notified']);
const later = deploymentReport(2, ['queued', 'notified', 'preflight']);
const older = deploymentReport(1, ['queued', 'notified', 'preflight', 'healthy']);

describe('deployment reports', () => {
  test('are ordered by order number, then by how much they tell', () => {
    expect([later, older, early].sort(compareReports)).toEqual([older, early, later]);
  });

  test('news is a state not told before, with the numbers that decided', () => {
    expect(deploymentNews('camera-1', null, early)).toBe('camera-1 digits 2: notified');
    expect(deploymentNews('camera-1', early, early)).toBeNull();
    expect(deploymentNews('camera-1', later, early)).toBeNull();
    expect(deploymentNews('camera-1', early, later)).toBe('camera-1 digits 2: preflight');
    expect(deploymentNews('camera-1', early, { ...early, progressPct: 50 })).toBeNull();
    const evidence: DeploymentReport['evidence'] = [
      { gate: 'golden', verdict: 'pass', method: 'hard', summary: 'all agree', atMs: 1 },
      { gate: 'latency', verdict: 'fail', method: 'e-process', summary: 'slower in 58 of 61 pairs', atMs: 2 },
    ];
    const worse = deploymentReport(2, ['shadow', 'rolled-back'], { reason: 'latency-regression', evidence });
    expect(deploymentNews('camera-1', null, worse)).toBe(
      'camera-1 digits 2: rolled-back (latency-regression): slower in 58 of 61 pairs',
    );
  });

  test('an event is not undone by a report of the same boot that does not know of it', () => {
    const kept = reportedBody({ deployment: later });
    const merged = (next: DeploymentReport | null, sameBoot = true) =>
      mergeReported(kept, reportedBody({ deployment: next, agentVersion: 'new' }), sameBoot);
    expect(merged(early)).toMatchObject({ deployment: later, agentVersion: 'new' });
    expect(merged(null)).toMatchObject({ deployment: later });
    expect(merged(deploymentReport(3, ['queued']))).toMatchObject({ deployment: { seq: 3 } });
    expect(merged(null, false)).toMatchObject({ deployment: null });
    expect(merged({ ...later, progressPct: 70 })).toMatchObject({ deployment: { progressPct: 70 } });
  });
});
