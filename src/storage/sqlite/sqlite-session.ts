// Every statement goes through here: reads at once; writes in the order they were asked for, and those that arrive
// together share one immediate transaction and its fsync.

import { ApiError } from '../../domain/errors.ts';
import type { Connection } from './sqlite-connection.ts';
import { isBusy, isFull, isOutcomeUnknown, translateSqliteError } from './sqlite-errors.ts';

/** How long another process may hold the lock before writes are answered with 503. */
const GIVE_UP_AFTER_MS = 700;
const PAUSE_BETWEEN_TRIES_MS = 20;
/** How long writes may follow one another before whatever else waits gets its turn. */
const MAX_WRITING_SPELL_MS = 5;
/** So much of it can be collected in that time that inserting it would take longer. */
const MAX_COLLECTED = 500;

export interface SqliteSession {
  readonly connection: Connection;
  /** How many commits of this session changed more than what its participant writes. */
  readonly changes: number;
  read<T>(work: () => T): Promise<T>;
  /**
   * Commits what `work` did before the promise resolves; when it throws, nothing of it stays. Others may share the
   * commit, and `work` runs again when a commit fails that it shared.
   */
  write<T>(work: () => T): Promise<T>;
  /** The same for what values can't be read without, or what makes room: on a full disk it may use the reserve. */
  writeFromReserve<T>(work: () => T): Promise<T>;
  /** The same for work that only gives the participant something to collect, and so needs no savepoint. */
  collect(work: () => void): Promise<void>;
  /** Resolves when every write that was asked for has been answered. */
  settled(): Promise<void>;
}

/** Room on the disk that is kept back. */
export interface SpaceReserve {
  /** Gives it free; false when there is none. */
  release(): boolean;
  /** It is given free and there is no room for it again: other writes are refused until then. */
  isReleased(): boolean;
}

/** Collects something while the writes of a transaction run, and writes it at the end of it. */
export interface CommitParticipant {
  /** How much it has collected. */
  mark(): number;
  /** Forgets what came after: its write was undone. */
  dropAfter(mark: number): void;
  /** In the transaction, which fails when this throws. */
  beforeCommit(): void;
  /** Must not throw. */
  afterCommit(): void;
}

const NOBODY: CommitParticipant = {
  mark: () => 0,
  dropAfter: () => undefined,
  beforeCommit: () => undefined,
  afterCommit: () => undefined,
};

const NO_RESERVE: SpaceReserve = { release: () => false, isReleased: () => false };

interface WaitingWrite extends WriteNeeds {
  readonly work: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
  /** It shared a commit that failed, which can be the fault of one. */
  isToBeAlone: boolean;
  /** The disk was full once already when it was tried. */
  hasMadeRoom: boolean;
}

interface WriteNeeds {
  readonly needsSavepoint: boolean;
  readonly mayUseReserve: boolean;
}

type Outcome = { readonly result: unknown } | { readonly error: unknown };

/** `onOutcomeUnknown` is called once, after a failed fsync; from then on every write is refused. */
export function createSqliteSession(
  connection: Connection,
  onOutcomeUnknown: () => void,
  participant: CommitParticipant = NOBODY,
  reserve: SpaceReserve = NO_RESERVE,
): SqliteSession {
  const transaction = connection.transaction((work: () => unknown) => work());
  const waiting: WaitingWrite[] = [];
  const onSettled: (() => void)[] = [];
  let isScheduled = false;
  let isDistrusted = false;
  let busySince: number | undefined;
  let lastTryAt = 0;
  let previousTryAt = 0;
  let changes = 0;

  function enqueue<T>(work: () => T, needs: WriteNeeds): Promise<T> {
    return new Promise((resolve, reject) => {
      waiting.push({ ...needs, work, resolve, reject, isToBeAlone: false, hasMadeRoom: false });
      // After what this turn of the event loop reads from its sockets: who comes alone waits for nobody.
      schedule(0);
    });
  }

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
    previousTryAt = lastTryAt;
    lastTryAt = performance.now();
    try {
      const outcomes = transaction.immediate(() => runGroup(group)) as Outcome[];
      if (group.some(({ needsSavepoint }) => needsSavepoint)) changes += 1;
      participant.afterCommit();
      for (const [i, outcome] of outcomes.entries()) answer(group[i] as WaitingWrite, outcome);
      return true;
    } catch (error) {
      participant.dropAfter(0);
      return afterFailure(group, error);
    }
  }

  /** Runs the first write and takes in those behind it. */
  function runGroup(group: WaitingWrite[]): Outcome[] {
    const outcomes: Outcome[] = [];
    for (const each of group) {
      outcomes.push(runOne(each));
      const next = waiting[0];
      const isSpellOver = performance.now() - lastTryAt > MAX_WRITING_SPELL_MS || participant.mark() >= MAX_COLLECTED;
      if (next === undefined || isSpellOver || each.isToBeAlone || next.isToBeAlone) break;
      group.push(next);
      waiting.shift();
    }
    participant.beforeCommit();
    return outcomes;
  }

  /** As a savepoint: its failure is its own, unless SQLite has given up the whole transaction. */
  function runOne({ work, needsSavepoint, mayUseReserve }: WaitingWrite): Outcome {
    if (!mayUseReserve && reserve.isReleased()) return { error: new ApiError('storage_full') };
    const mark = participant.mark();
    try {
      return { result: needsSavepoint ? transaction(work) : work() };
    } catch (error) {
      if (!connection.inTransaction || isOutcomeUnknown(error)) throw error;
      participant.dropAfter(mark);
      return { error };
    }
  }

  function afterFailure(group: WaitingWrite[], error: unknown): boolean {
    if (isBusy(error)) {
      waiting.unshift(...group);
      // One that waits since long ago was given up; this is another.
      if (busySince === undefined || lastTryAt - previousTryAt > GIVE_UP_AFTER_MS) busySince = lastTryAt;
      return false;
    }
    if (isFull(error) && makeRoom(group)) {
      waiting.unshift(...group);
      return true;
    }
    if (isOutcomeUnknown(error)) distrust();
    answerOrSeparate(group, error);
    return true;
  }

  function answerOrSeparate(group: WaitingWrite[], error: unknown): void {
    if (isDistrusted || group.length === 1) {
      for (const each of group) answer(each, { error });
      return;
    }
    for (const each of group) each.isToBeAlone = true;
    waiting.unshift(...group);
  }

  /** Once for each write: gives the reserve free, and moves the log into the database, so that the log begins anew. */
  function makeRoom(group: WaitingWrite[]): boolean {
    if (group.some(({ hasMadeRoom }) => hasMadeRoom)) return false;
    for (const each of group) each.hasMadeRoom = true;
    try {
      reserve.release();
      connection.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      if (isOutcomeUnknown(error)) distrust();
    }
    return !isDistrusted;
  }

  function distrust(): void {
    isDistrusted = true;
    onOutcomeUnknown();
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
    get changes() {
      return changes;
    },
    async read(work) {
      try {
        return work();
      } catch (error) {
        throw translateSqliteError(error);
      }
    },
    write: (work) => enqueue(work, { needsSavepoint: true, mayUseReserve: false }),
    writeFromReserve: (work) => enqueue(work, { needsSavepoint: true, mayUseReserve: true }),
    collect: (work) => enqueue(work, { needsSavepoint: false, mayUseReserve: true }),
    settled() {
      return new Promise((resolve) => {
        if (waiting.length === 0) resolve();
        else onSettled.push(resolve);
      });
    },
  };
}
