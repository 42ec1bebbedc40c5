// Secret lists in SQLite.

import type { Reference } from '../../domain/references.ts';
import type { SecretList } from '../../domain/secrets.ts';
import type { ListsRepository } from '../storage.ts';
import type { RequireRoom } from './account-quotas.ts';
import type { AuditWriter } from './audit-repository.ts';
import type { SqliteSession } from './sqlite-session.ts';

const COLUMNS = 'id, name, created_at AS createdAt, updated_at AS updatedAt';

/** Finds a list's row inside a transaction or a read; undefined when the account has no such list. */
export type FindList = (accountId: number, list: Reference) => SecretList | undefined;

export function prepareFindList({ connection }: SqliteSession): FindList {
  const byId = connection.prepare<[number, number], SecretList>(
    `SELECT ${COLUMNS} FROM secret_lists WHERE account_id = ? AND id = ?`,
  );
  const byName = connection.prepare<[number, string], SecretList>(
    `SELECT ${COLUMNS} FROM secret_lists WHERE account_id = ? AND name = ?`,
  );
  return (accountId, list) => ('id' in list ? byId.get(accountId, list.id) : byName.get(accountId, list.name));
}

export function createListsRepository(
  session: SqliteSession,
  findList: FindList,
  requireRoom: RequireRoom,
  audit: AuditWriter,
): ListsRepository {
  const { connection } = session;
  const selectAll = connection.prepare<[number], SecretList>(
    `SELECT ${COLUMNS} FROM secret_lists WHERE account_id = ? ORDER BY id`,
  );
  const insert = connection.prepare<[number, string, string, string], SecretList>(
    `INSERT INTO secret_lists (account_id, name, created_at, updated_at) VALUES (?, ?, ?, ?) RETURNING ${COLUMNS}`,
  );
  const rename = connection.prepare<[string, string, number], SecretList>(
    `UPDATE secret_lists SET name = ?, updated_at = ? WHERE id = ? RETURNING ${COLUMNS}`,
  );
  const remove = connection.prepare<[number]>('DELETE FROM secret_lists WHERE id = ?');

  return {
    list: (accountId) => session.read(() => selectAll.all(accountId)),

    find: (accountId, list) => session.read(() => findList(accountId, list)),

    create: (accountId, name, event) =>
      session.write(() => {
        requireRoom(accountId, 'lists');
        const created = insert.get(accountId, name, event.occurredAt, event.occurredAt) as SecretList;
        audit.recordSuccess(event, { kind: 'list', id: created.id, parentId: null });
        return created;
      }),

    rename: (accountId, list, name, event) =>
      session.write(() => {
        const current = findList(accountId, list);
        if (current === undefined) return undefined;
        audit.recordSuccess(event, { kind: 'list', id: current.id, parentId: null });
        return rename.get(name, event.occurredAt, current.id);
      }),

    delete: (accountId, list, event) =>
      session.write(() => {
        const current = findList(accountId, list);
        if (current === undefined) return false;
        remove.run(current.id);
        audit.recordSuccess(event, { kind: 'list', id: current.id, parentId: null });
        return true;
      }),
  };
}
