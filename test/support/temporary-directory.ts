// A directory of its own for a test, gone when the test file ends.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'secret-manager-test-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
