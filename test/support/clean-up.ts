// Ends what a test file started: servers first, then the directories they were in. Loaded before each test file.

import { afterAll } from 'vitest';
import { killServerProcesses } from './server-process.ts';
import { removeTemporaryDirectories } from './temporary-directory.ts';

afterAll(() => {
  killServerProcesses();
  removeTemporaryDirectories();
});
