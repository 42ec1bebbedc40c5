// What an account may hold, held against the counters that triggers keep on its row.

import { type LimitedThing, QuotaReachedError } from '../../domain/errors.ts';
import type { Quotas } from '../../domain/limits.ts';
import type { SqliteSession } from './sqlite-session.ts';

/** Throws QuotaReachedError when the account holds as many already; to be called inside the creating transaction. */
export type RequireRoom = (accountId: number, what: LimitedThing) => void;

export function prepareRequireRoom({ connection }: SqliteSession, quotas: Quotas): RequireRoom {
  const select = (column: string) =>
    connection.prepare<[number], number>(`SELECT ${column} FROM accounts WHERE id = ?`).pluck();
  const held = {
    lists: select('list_count'),
    values: select('value_count'),
    instances: select('instance_count'),
  };
  return (accountId, what) => {
    // An account that is gone is for the creation to notice.
    if ((held[what].get(accountId) ?? 0) >= quotas[what]) throw new QuotaReachedError(what, quotas[what]);
  };
}
