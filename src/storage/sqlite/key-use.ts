// Counts what each key seals and wraps, and refuses a key that may not any more; to be called inside a transaction.

import { ApiError, OperatorError, StaleDataKeyError } from '../../domain/errors.ts';
import { MAX_SEALS_PER_KEY } from '../../domain/limits.ts';
import type { SqliteSession } from './sqlite-session.ts';

export interface KeyUse {
  /** Throws StaleDataKeyError unless it is the account's current one; `unauthenticated` when the account is gone. */
  countSeals(accountId: number, dataKeyVersion: number, seals: number): void;
  /** Throws OperatorError (`refused`) when the server hasn't that root key, or it has wrapped as often as it may. */
  countWraps(fingerprint: string, wraps: number): void;
}

export function prepareKeyUse({ connection }: SqliteSession): KeyUse {
  const countSeals = connection.prepare<[number, number, number, number, number, number]>(
    `UPDATE data_keys SET seals = seals + ?
     WHERE account_id = ? AND version = ? AND version = (SELECT data_key_version FROM accounts WHERE id = ?)
       AND seals + ? <= ?`,
  );
  const currentVersion = connection
    .prepare<[number], number>('SELECT data_key_version FROM accounts WHERE id = ?')
    .pluck();
  const countWraps = connection.prepare<[number, string, number, number]>(
    'UPDATE root_keys SET wraps = wraps + ? WHERE fingerprint = ? AND at_hand = 1 AND wraps + ? <= ?',
  );
  const isAtHand = connection.prepare<[string], number>('SELECT at_hand FROM root_keys WHERE fingerprint = ?').pluck();

  return {
    countSeals(accountId, dataKeyVersion, seals) {
      const counted = countSeals.run(seals, accountId, dataKeyVersion, accountId, seals, MAX_SEALS_PER_KEY);
      if (counted.changes === 1) return;
      const current = currentVersion.get(accountId);
      if (current === undefined) throw new ApiError('unauthenticated');
      throw new StaleDataKeyError(current === dataKeyVersion ? 'worn-out' : 'superseded');
    },

    countWraps(fingerprint, wraps) {
      if (countWraps.run(wraps, fingerprint, wraps, MAX_SEALS_PER_KEY).changes === 1) return;
      throw new OperatorError(
        'refused',
        isAtHand.get(fingerprint) === 1
          ? `The root key ${fingerprint} has wrapped ${MAX_SEALS_PER_KEY} keys, as many as it may; run "secret-manager root-key rotate".`
          : `The server does not have the root key ${fingerprint}; start it with that key before anything is wrapped by it.`,
      );
    },
  };
}
