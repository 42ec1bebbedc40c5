// Every statement goes through here: reads at once, writes one after another, each as one immediate transaction.

import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../../domain/errors.ts';
import type { Connection } from './sqlite-connection.ts';
import { isBusy, isOutcomeUnknown, translateSqliteError } from './sqlite-errors.ts';

/** How long another process may hold the lock before writes are answered with 503. */
const GIVE_UP_AFTER_MS = 700;
const PAUSE_BETWEEN_TRIES_MS = 20;
/** How long writes may follow one another before whatever else waits gets its turn. */
const MAX_WRITING_SPELL_MS = 5;

export interface SqliteSession {
  readonly connection: Connection;
  read<T>(work: () => T): Promise<T>;
  /** Commits what `work` did before the promise resolves; when it throws, nothing of it stays. */
  write<T>(work: () => T): Promise<T>;
  /** Resolves when every write that was asked for has been answered. */
  settled(): Promise<void>;
}

/** `onOutcomeUnknown` is called once, after a failed fsync; from then on every write is refused. */
export function createSqliteSession(connection: Connection, onOutcomeUnknown: () => void): SqliteSession {
  const transaction = connection.transaction((work: () => unknown) => work());
  let previousWrite: Promise<unknown> = Promise.resolve();
  let isDistrusted = false;
  let busySince: number | undefined;
  let lastTryAt = 0;
  let spellBeganAt = 0;

  /** undefined when another process holds the lock. */
  function tryWrite<T>(work: () => T): { readonly result: T } | undefined {
    lastTryAt = performance.now();
    try {
      const result = transaction.immediate(work) as T;
      busySince = undefined;
      return { result };
    } catch (error) {
      if (isBusy(error)) {
        busySince ??= lastTryAt;
        return undefined;
      }
      if (isOutcomeUnknown(error)) {
        isDistrusted = true;
        onOutcomeUnknown();
      }
      throw translateSqliteError(error);
    }
  }

  function isGivenUp(): boolean {
    return busySince !== undefined && performance.now() - busySince > GIVE_UP_AFTER_MS;
  }

  async function writeWhenFree<T>(work: () => T): Promise<T> {
    await takeTurns();
    while (!isDistrusted) {
      const isTriedJustNow = performance.now() - lastTryAt < PAUSE_BETWEEN_TRIES_MS;
      const done = isGivenUp() && isTriedJustNow ? undefined : tryWrite(work);
      if (done !== undefined) return done.result;
      if (isGivenUp()) break;
      await sleep(PAUSE_BETWEEN_TRIES_MS);
    }
    throw new ApiError('storage_unavailable');
  }

  /** A queue of promises alone would keep the event loop from everything else until it is empty. */
  async function takeTurns(): Promise<void> {
    if (performance.now() - spellBeganAt < MAX_WRITING_SPELL_MS) return;
    await nextTurn();
    spellBeganAt = performance.now();
  }

  return {
    connection,
    async read(work) {
      try {
        return work();
      } catch (error) {
        throw translateSqliteError(error);
      }
    },
    write(work) {
      const current = previousWrite.then(() => writeWhenFree(work));
      previousWrite = current.catch(() => undefined);
      return current;
    },
    async settled() {
      await previousWrite;
    },
  };
}
