// Accounts in SQLite.

import type { Account } from '../../domain/accounts.ts';
import type { AuditEvent } from '../../domain/audit-events.ts';
import type { Reference } from '../../domain/references.ts';
import type { AccountsRepository, WrappedKey } from '../storage.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { KeyUse } from './key-use.ts';
import type { SqliteSession } from './sqlite-session.ts';

const COLUMNS = 'id, name, created_at AS createdAt';
const FIRST_DATA_KEY_VERSION = 1;

/** Inserts an account with its first data key; to be called inside a transaction. */
export type InsertAccount = (
  name: string,
  wrapDataKey: (accountId: number) => WrappedKey,
  event: AuditEvent,
) => Account;

export function prepareInsertAccount({ connection }: SqliteSession, keyUse: KeyUse, audit: AuditWriter): InsertAccount {
  const insert = connection.prepare<[string, number, string], Account>(
    `INSERT INTO accounts (name, data_key_version, created_at) VALUES (?, ?, ?) RETURNING ${COLUMNS}`,
  );
  const insertDataKey = connection.prepare<[number, number, string, Uint8Array, string]>(
    'INSERT INTO data_keys (account_id, version, root_key_fingerprint, wrapped_key, created_at) VALUES (?, ?, ?, ?, ?)',
  );
  return (name, wrapDataKey, event) => {
    const account = insert.get(name, FIRST_DATA_KEY_VERSION, event.occurredAt) as Account;
    const { rootKeyFingerprint, wrappedKey } = wrapDataKey(account.id);
    keyUse.countWraps(rootKeyFingerprint, 1);
    insertDataKey.run(account.id, FIRST_DATA_KEY_VERSION, rootKeyFingerprint, wrappedKey, event.occurredAt);
    audit.recordSuccess(event, { kind: 'account', id: account.id, parentId: null });
    return account;
  };
}

export function createAccountsRepository(
  session: SqliteSession,
  insertAccount: InsertAccount,
  audit: AuditWriter,
): AccountsRepository {
  const { connection } = session;
  const selectAll = connection.prepare<[], Account>(`SELECT ${COLUMNS} FROM accounts ORDER BY id`);
  const selectById = connection.prepare<[number], Account>(`SELECT ${COLUMNS} FROM accounts WHERE id = ?`);
  const selectByName = connection.prepare<[string], Account>(`SELECT ${COLUMNS} FROM accounts WHERE name = ?`);
  const remove = connection.prepare<[number]>('DELETE FROM accounts WHERE id = ?');

  function findAccount(account: Reference): Account | undefined {
    return 'id' in account ? selectById.get(account.id) : selectByName.get(account.name);
  }

  return {
    list: () => session.read(() => selectAll.all()),

    find: (account) => session.read(() => findAccount(account)),

    create: (name, wrapDataKey, event) => session.write(() => insertAccount(name, wrapDataKey, event)),

    delete: (account, event) =>
      session.write(() => {
        const current = findAccount(account);
        if (current === undefined) return false;
        remove.run(current.id);
        audit.recordSuccess(event, { kind: 'account', id: current.id, parentId: null });
        return true;
      }),
  };
}
