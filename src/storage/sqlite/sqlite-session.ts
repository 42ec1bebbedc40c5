// Every statement goes through here: reads at once; writes in the order they were asked for, and those that arrive
// together share one immediate transaction and its fsync.

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
  /** How many commits this session has made. */
  readonly commits: number;
  read<T>(work: () => T): Promise<T>;
  /**
   * Commits what `work` did before the promise resolves; when it throws, nothing of it stays. Others may share the
   * commit, and `work` runs again when a commit fails that it shared.
   */
  write<T>(work: () => T): Promise<T>;
  /** Resolves when every write that was asked for has been answered. */
  settled(): Promise<void>;
}

interface WaitingWrite {
  readonly work: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
  /** It shared a commit that failed, which can be the fault of one. */
  isToBeAlone: boolean;
}

type Outcome = { readonly result: unknown } | { readonly error: unknown };

/** `onOutcomeUnknown` is called once, after a failed fsync; from then on every write is refused. */
export function createSqliteSession(connection: Connection, onOutcomeUnknown: () => void): SqliteSession {
  const transaction = connection.transaction((work: () => unknown) => work());
  const waiting: WaitingWrite[] = [];
  const onSettled: (() => void)[] = [];
  let isScheduled = false;
  let isDistrusted = false;
  let busySince: number | undefined;
  let lastTryAt = 0;
  let commits = 0;

  function schedule(delayMs: number): void {
    if (isScheduled) return;
    isScheduled = true;
    if (delayMs === 0) setImmediate(writeWaiting);
    else setTimeout(writeWaiting, delayMs);
  }

  function writeWaiting(): void {
    isScheduled = false;
    if (!mayTry()) rejectAll();
    else if (commitGroup()) busySince = undefined;
    else if (isGivenUp()) rejectAll();

    if (waiting.length > 0) schedule(busySince === undefined ? 0 : PAUSE_BETWEEN_TRIES_MS);
    else tellSettled();
  }

  function tellSettled(): void {
    for (const settle of onSettled.splice(0)) settle();
  }

  /** False when another process holds the lock; the writes then go on waiting. */
  function commitGroup(): boolean {
    const first = waiting.shift();
    if (first === undefined) return true;
    const group = [first];
    lastTryAt = performance.now();
    try {
      const outcomes = transaction.immediate(() => runGroup(group)) as Outcome[];
      commits += 1;
      for (const [i, outcome] of outcomes.entries()) answer(group[i] as WaitingWrite, outcome);
      return true;
    } catch (error) {
      return afterFailure(group, error);
    }
  }

  /** Runs the first write and takes in those behind it. */
  function runGroup(group: WaitingWrite[]): Outcome[] {
    const outcomes: Outcome[] = [];
    for (const each of group) {
      outcomes.push(runOne(each));
      const next = waiting[0];
      const isSpellOver = performance.now() - lastTryAt > MAX_WRITING_SPELL_MS;
      if (next === undefined || isSpellOver || each.isToBeAlone || next.isToBeAlone) break;
      group.push(next);
      waiting.shift();
    }
    return outcomes;
  }

  /** As a savepoint: its failure is its own, unless SQLite has given up the whole transaction. */
  function runOne({ work }: WaitingWrite): Outcome {
    try {
      return { result: transaction(work) };
    } catch (error) {
      if (!connection.inTransaction || isOutcomeUnknown(error)) throw error;
      return { error };
    }
  }

  function afterFailure(group: WaitingWrite[], error: unknown): boolean {
    if (isBusy(error)) {
      waiting.unshift(...group);
      busySince ??= lastTryAt;
      return false;
    }
    if (isOutcomeUnknown(error)) {
      isDistrusted = true;
      onOutcomeUnknown();
    }
    if (isDistrusted || group.length === 1) {
      for (const each of group) answer(each, { error });
    } else {
      for (const each of group) each.isToBeAlone = true;
      waiting.unshift(...group);
    }
    return true;
  }

  function answer({ resolve, reject }: WaitingWrite, outcome: Outcome): void {
    if ('result' in outcome) resolve(outcome.result as never);
    else reject(translateSqliteError(outcome.error));
  }

  function rejectAll(): void {
    for (const { reject } of waiting.splice(0)) reject(new ApiError('storage_unavailable'));
  }

  function isGivenUp(): boolean {
    return busySince !== undefined && performance.now() - busySince > GIVE_UP_AFTER_MS;
  }

  function mayTry(): boolean {
    const isTriedJustNow = performance.now() - lastTryAt < PAUSE_BETWEEN_TRIES_MS;
    return !isDistrusted && !(isGivenUp() && isTriedJustNow);
  }

  return {
    connection,
    get commits() {
      return commits;
    },
    async read(work) {
      try {
        return work();
      } catch (error) {
        throw translateSqliteError(error);
      }
    },
    write(work) {
      return new Promise((resolve, reject) => {
        waiting.push({ work, resolve, reject, isToBeAlone: false });
        // After what this turn of the event loop reads from its sockets: who comes alone waits for nobody.
        schedule(0);
      });
    },
    settled() {
      return new Promise((resolve) => {
        if (waiting.length === 0) resolve();
        else onSettled.push(resolve);
      });
    },
  };
}
