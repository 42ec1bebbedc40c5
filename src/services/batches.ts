// Long work in short steps beside a running server: its writes give up after 700 ms, so they must always get a turn.

import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../domain/errors.ts';

/** A server that waits for the lock tries again every 20 ms. */
const MIN_PAUSE_MS = 25;
/** The lock is held for a third of the time at most. */
const PAUSE_FOR_STEP = 2;
/** A step that finds the lock taken has waited for 0.7 s already. */
const MAX_TRIES = 20;

/** Takes steps until one says that nothing is left, and pauses behind each that did something. */
export async function inSteps(step: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const startedAt = performance.now();
    if (!(await untilFree(step))) return;
    await sleep(Math.max(MIN_PAUSE_MS, PAUSE_FOR_STEP * (performance.now() - startedAt)));
  }
}

/** Does it again while another process holds the store's lock. */
async function untilFree<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'storage_unavailable') || tries === MAX_TRIES) throw error;
      await sleep(MIN_PAUSE_MS);
    }
  }
}
