// Revisions in SQLite: kept in memory until this process or another one commits.

import type { RevisionsRepository } from '../storage.ts';
import type { SqliteSession } from './sqlite-session.ts';

/** More accounts than this at once, and the memory starts again. */
const MAX_KEPT_ACCOUNTS = 10_000;

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

  /**
   * Once in a turn of the event loop, when the first of its requests asks: what else the turn reads from its sockets was
   * there before that. The pragma takes and gives back a file lock, more than all else that a look-up costs.
   */
  function noticeForeignCommits(): void {
    if (isForeignKnown) return;
    isForeignKnown = true;
    setImmediate(() => {
      isForeignKnown = false;
    });
    const foreign = foreignCommits.get();
    if (foreign !== seenForeign) forget();
    seenForeign = foreign;
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
