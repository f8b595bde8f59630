import { defineConfig } from 'vitest/config';

// One project a kind of test (docs/architecture.md). Integration and end-to-end tests start real
// processes, so on two cores they run one file at a time.
const project = (name: string, testTimeoutMs: number, parallel: boolean) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    environment: 'node',
    pool: 'forks' as const,
    fileParallelism: parallel,
    testTimeout: testTimeoutMs,
    hookTimeout: testTimeoutMs,
    env: { ORT_DISABLE_TELEMETRY: '1' },
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 20_000, true),
      project('contract', 60_000, true),
      project('integration', 120_000, false),
      project('e2e', 900_000, false),
      project('browser', 180_000, false),
    ],
  },
});
