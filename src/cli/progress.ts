// Says on standard error how far a long command is: soon and often to a person at a terminal, seldom to a log.

import { printNotice } from './output.ts';

const TERMINAL = { firstAfterMs: 1_500, thenEveryMs: 1_500 };
const LOG = { firstAfterMs: 10_000, thenEveryMs: 30_000 };

/** To be called as often as there is something to tell. */
export function createProgress(): (progress: string) => void {
  const { firstAfterMs, thenEveryMs } = process.stderr.isTTY ? TERMINAL : LOG;
  let nextAt = performance.now() + firstAfterMs;
  return (progress) => {
    if (performance.now() < nextAt) return;
    nextAt = performance.now() + thenEveryMs;
    printNotice(`… ${progress}`);
  };
}
