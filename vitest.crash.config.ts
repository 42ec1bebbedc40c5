import { defineConfig } from 'vitest/config';
import { TIMES } from './test/crash/seeded-random.ts';

export default defineConfig({
  test: {
    include: ['test/crash/**/*.test.ts', 'test/drills/**/*.test.ts'],
    isolate: false,
    maxWorkers: 2,
    // Each test is mostly waiting for its server: this many at a time.
    maxConcurrency: 2,
    setupFiles: ['test/support/clean-up.ts'],
    testTimeout: 400_000 * TIMES,
    hookTimeout: 120_000,
  },
});
