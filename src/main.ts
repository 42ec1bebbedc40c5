// What has to hold before anything else is loaded; then the command line.

import { constants } from 'node:os';

// Whatever is created, now or by a library, is for this user alone.
process.umask(0o077);

// As the first process of a container this one would ignore a signal that nobody handles. A server that has started
// puts an orderly end in place of this.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}

const { runProgram } = await import('./cli/program.ts');
process.exitCode = await runProgram();
