// Revisions in SQLite: kept in memory until this process or another one commits.

import type { RevisionsRepository } from '../storage.ts';
import type { SqliteSession } from './sqlite-session.ts';

/** More accounts than this at once, and the memory starts again. */
const MAX_KEPT_ACCOUNTS = 10_000;
const MAX_LOOK_AGE_MS = 2;

export function createRevisionsRepository(session: SqliteSession): RevisionsRepository {
  const { connection } = session;
  // Another number once another connection has committed; commits of its own don't change it.
  const foreignCommits = connection.prepare<[], number>('PRAGMA data_version').pluck();
  const selectOfApiKeys = connection.prepare<[], string>('SELECT hex(revision) FROM api_keys_revision').pluck();
  const selectOfAccount = connection
    .prepare<[number], string>('SELECT hex(revision) FROM accounts WHERE id = ?')
    .pluck();
  const ofAccounts = new Map<number, string | undefined>();
  let ofApiKeys: string | undefined;
  let seenForeign: number | undefined;
  let seenOwn = 0;
  let isForeignKnown = false;
  let lookedAt = 0;

  /**
   * Once in a turn of the event loop, when the first of its requests asks: what else the turn reads from its sockets was
   * there before that. The pragma takes and gives back a file lock, more than all else that a look-up costs. A turn that
   * has very many sockets to read looks again.
   */
  function noticeForeignCommits(): void {
    const now = performance.now();
    if (isForeignKnown && now - lookedAt < MAX_LOOK_AGE_MS) return;
    const foreign = foreignCommits.get();
    if (!isForeignKnown) setImmediate(endOfTurn);
    isForeignKnown = true;
    lookedAt = now;
    if (foreign !== seenForeign) forget();
    seenForeign = foreign;
  }

  function endOfTurn(): void {
    isForeignKnown = false;
  }

  function noticeOwnCommits(): void {
    if (session.changes !== seenOwn || ofAccounts.size >= MAX_KEPT_ACCOUNTS) forget();
  }

  function forget(): void {
    seenOwn = session.changes;
    ofAccounts.clear();
    ofApiKeys = undefined;
  }

  return {
    ofApiKeys: () =>
      session.read(() => {
        noticeForeignCommits();
        noticeOwnCommits();
        ofApiKeys ??= selectOfApiKeys.get();
        return ofApiKeys ?? '';
      }),

    ofAccount: (accountId) =>
      session.read(() => {
        noticeOwnCommits();
        let revision = ofAccounts.get(accountId);
        if (revision === undefined) {
          revision = selectOfAccount.get(accountId) ?? '';
          ofAccounts.set(accountId, revision);
        }
        return revision;
      }),
  };
}
