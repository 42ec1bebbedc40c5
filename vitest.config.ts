import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/boot/**', 'test/crash/**', 'test/drills/**'],
    isolate: false,
    // Many tests wait for processes: more workers than cores.
    maxWorkers: 3,
    setupFiles: ['test/support/clean-up.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary'] },
  },
});
