// Says on standard error how far a long command is: soon and often to a person at a terminal, seldom to a log.

import type { Tell } from '../domain/checks.ts';
import { printNotice } from './output.ts';

const TERMINAL = { firstAfterMs: 1_500, thenEveryMs: 1_500 };
const LOG = { firstAfterMs: 10_000, thenEveryMs: 30_000 };

export function createProgress(): Tell {
  const { firstAfterMs, thenEveryMs } = process.stderr.isTTY ? TERMINAL : LOG;
  let nextAt = performance.now() + firstAfterMs;
  return (progress, isLongAhead = false) => {
    if (!isLongAhead && performance.now() < nextAt) return;
    nextAt = performance.now() + thenEveryMs;
    printNotice(`… ${progress}`);
  };
}
