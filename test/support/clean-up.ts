// Ends what a test file started: servers first, then the directories they were in. Loaded before each test file.

import { afterAll } from 'vitest';
import { killPrograms } from './program.ts';
import { killServerProcesses } from './server-process.ts';
import { removeTemporaryDirectories } from './temporary-directory.ts';

afterAll(() => {
  killPrograms();
  killServerProcesses();
  removeTemporaryDirectories();
});
