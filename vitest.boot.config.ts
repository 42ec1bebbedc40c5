import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/boot/**/*.test.ts'],
    isolate: false,
    maxWorkers: 1,
    setupFiles: ['test/support/clean-up.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
