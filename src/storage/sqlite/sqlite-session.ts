// Every statement goes through here: reads at once, writes one after another, each as one immediate transaction.

import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../../domain/errors.ts';
import type { Connection } from './sqlite-connection.ts';
import { isBusy, isOutcomeUnknown, translateSqliteError } from './sqlite-errors.ts';

/** How long a write waits for another process's lock before it is answered with 503. */
const GIVE_UP_AFTER_MS = 700;
const PAUSE_BETWEEN_TRIES_MS = 20;

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

  /** undefined when another process holds the lock. */
  function tryWrite<T>(work: () => T): { readonly result: T } | undefined {
    try {
      return { result: transaction.immediate(work) as T };
    } catch (error) {
      if (isBusy(error)) return undefined;
      if (isOutcomeUnknown(error)) {
        isDistrusted = true;
        onOutcomeUnknown();
      }
      throw translateSqliteError(error);
    }
  }

  async function writeBefore<T>(giveUpAt: number, work: () => T): Promise<T> {
    while (!isDistrusted && performance.now() < giveUpAt) {
      const done = tryWrite(work);
      if (done !== undefined) return done.result;
      await sleep(PAUSE_BETWEEN_TRIES_MS);
    }
    throw new ApiError('storage_unavailable');
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
      const giveUpAt = performance.now() + GIVE_UP_AFTER_MS;
      const current = previousWrite.then(() => writeBefore(giveUpAt, work));
      previousWrite = current.catch(() => undefined);
      return current;
    },
    async settled() {
      await previousWrite;
    },
  };
}
