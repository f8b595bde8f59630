import { describe, expect, test } from 'vitest';
import { DeploymentFeed } from '#control-plane/fleet/deployment-feed.ts';
import { createLogger } from '#control-plane/logger.ts';
import { deploymentReport } from '#test/fixtures/protocol/sample-messages.ts';

const silent = createLogger({ level: 'silent', write: () => undefined });

describe('the feed of deployment reports', () => {
  test('hands on the newest waiting report of an order, and each order for itself', async () => {
    await using feed = new DeploymentFeed(silent);
    const followed: string[] = [];
    feed.subscribe((deviceId, { seq, state }) =>
      Promise.resolve(void followed.push(`${deviceId} ${seq} ${state}`)),
    );
    feed.push('a', deploymentReport(1, ['queued', 'notified', 'preflight']));
    feed.push('a', deploymentReport(1, ['queued', 'notified', 'preflight', 'failed']));
    feed.push('a', deploymentReport(1, ['queued', 'notified']));
    feed.push('a', deploymentReport(2, ['queued']));
    feed.push('b', deploymentReport(1, ['queued']));
    await feed.idle();
    expect(followed).toEqual(['a 1 failed', 'a 2 queued', 'b 1 queued']);
  });

  test('one follower at a time, and one that fails stops no other', async () => {
    await using feed = new DeploymentFeed(silent);
    let running = 0;
    const most: number[] = [];
    feed.subscribe(() => Promise.reject(new Error('no')));
    const stop = feed.subscribe(async () => {
      most.push(++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    });
    for (let seq = 1; seq <= 3; seq++) feed.push('a', deploymentReport(seq, ['queued']));
    await feed.idle();
    expect(most).toEqual([1, 1, 1]);
    stop();
    feed.push('a', deploymentReport(4, ['queued']));
    await feed.idle();
    expect(most).toHaveLength(3);
  });
});
