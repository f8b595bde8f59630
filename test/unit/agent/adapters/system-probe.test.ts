import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { MachineProbe } from '#agent/adapters/system-probe.ts';
import { findThrottleFiles, hottestC } from '#agent/adapters/sysfs.ts';
import { ManualClock } from '#test/fakes/manual-clock.ts';
import { keepingLogger } from '#test/fakes/silent-logger.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-sys-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
});

async function put(path: string, text: string): Promise<void> {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), `${text}\n`);
}

test('measures this machine, within what it can be', async () => {
  const probe = new MachineProbe({
    dataDir: tmpdir(),
    clock: new ManualClock(),
    logger: keepingLogger(),
    sysfsRoot: root,
  });
  await probe.start();
  const snapshot = await probe.snapshot();
  expect(snapshot.cpuLoadPct ?? 0).toBeGreaterThanOrEqual(0);
  expect(snapshot.cpuLoadPct ?? 0).toBeLessThanOrEqual(100);
  expect(snapshot.memoryAvailableBytes).toBeGreaterThan(1e6);
  expect(snapshot.diskFreeBytes).toBeGreaterThan(0);
  expect(Number.isInteger(snapshot.memoryUsedBytes)).toBe(true);
  expect(snapshot.temperatureC).toBeNull();
  expect(probe.throttleEpoch()).toBe(0);
});

test('measures at most once a second, however often it is asked', async () => {
  const clock = new ManualClock();
  const probe = new MachineProbe({ dataDir: tmpdir(), clock, logger: keepingLogger(), sysfsRoot: root });
  const first = probe.snapshot();
  expect(probe.snapshot()).toBe(first);
  await clock.advance(1_000);
  expect(probe.snapshot()).not.toBe(first);
});

test('counts every change of a throttle counter or of cooling that costs speed', async () => {
  await put('devices/system/cpu/cpu0/thermal_throttle/core_throttle_count', '0');
  await put('class/thermal/cooling_device0/type', 'Processor');
  await put('class/thermal/cooling_device0/cur_state', '0');
  await put('class/thermal/cooling_device1/type', 'pwm-fan');
  await put('class/thermal/cooling_device1/cur_state', '0');
  const clock = new ManualClock();
  using probe = new MachineProbe({ dataDir: tmpdir(), clock, logger: keepingLogger(), sysfsRoot: root });
  await probe.start();
  const look = async (): Promise<number> => {
    const timers = clock.pendingTimers;
    await clock.advance(1_000);
    while (clock.pendingTimers < timers) await new Promise((resolve) => setImmediate(resolve));
    return probe.throttleEpoch();
  };
  expect(await look()).toBe(0);
  await put('devices/system/cpu/cpu0/thermal_throttle/core_throttle_count', '3');
  expect(await look()).toBe(1);
  await put('class/thermal/cooling_device1/cur_state', '2');
  expect(await look()).toBe(1);
  await put('class/thermal/cooling_device0/cur_state', '1');
  expect(await look()).toBe(2);
  await put('class/thermal/cooling_device0/cur_state', '0');
  expect(await look()).toBe(3);
});

test('stops looking when it ends', async () => {
  await put('devices/system/cpu/cpu0/thermal_throttle/core_throttle_count', '0');
  const clock = new ManualClock();
  const probe = new MachineProbe({ dataDir: tmpdir(), clock, logger: keepingLogger(), sysfsRoot: root });
  await probe.start();
  expect(clock.pendingTimers).toBe(1);
  probe[Symbol.dispose]();
  expect(clock.pendingTimers).toBe(0);
});

test('takes the hottest zone, and none that is no number', async () => {
  expect(await hottestC(root)).toBeNull();
  expect(await findThrottleFiles(root)).toEqual([]);
  await put('class/thermal/thermal_zone0/temp', '41500');
  await put('class/thermal/thermal_zone1/temp', '63000');
  await put('class/thermal/thermal_zone2/temp', '-256000');
  await put('class/thermal/thermal_zone3/temp', 'broken');
  expect(await hottestC(root)).toBe(63);
});
